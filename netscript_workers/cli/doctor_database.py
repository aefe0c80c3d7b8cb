"""What `workers doctor` asks of the PostgreSQL that `database_url` names: whether something holds back its vacuum."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from netscript_workers.cli.doctor_finding import Finding, State
from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError

if TYPE_CHECKING:
    from netscript_workers.config import Settings
    from netscript_workers.ports.tables import Horizon

_CHECK: Final = "oldest transaction"
_BOUND_S: Final = 15
_TOO_OLD_MS: Final = 10 * 60 * 1000
_FAR_BEHIND: Final = 1_000_000
_SECOND_MS: Final = 1000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS


def findings(settings: "Settings") -> Iterator[Finding]:
    """Look at the database, where there is one, within a bound."""
    if settings.connections.database_url is None:
        return
    from netscript_workers import wiring

    try:
        horizon = asyncio.run(asyncio.wait_for(wiring.tables_of(settings).horizon(), _BOUND_S))
    except (EngineError, EngineUnavailableError, EngineFormatError, TimeoutError) as error:
        why = str(error) or f"no answer within {_BOUND_S} s"
        yield Finding(_CHECK, State.PROBLEM, why, "See: workers validate --connect")
        return
    yield judged(horizon)


def judged(horizon: "Horizon | None") -> Finding:
    """Say what holds back vacuum, and what to do when it has for too long."""
    if horizon is None:
        return Finding(_CHECK, State.OK, "nothing holds back vacuum")
    who = horizon.kind if horizon.pid is None else f"{horizon.kind} with pid {horizon.pid}"
    state = f", {horizon.state}" if horizon.state else ""
    age = "" if horizon.age_ms is None else f"open for {_words(horizon.age_ms)}, "
    found = f"{who} ({horizon.name}{state}): {age}{horizon.behind} transactions behind"
    if (horizon.age_ms or 0) < _TOO_OLD_MS and horizon.behind < _FAR_BEHIND:
        return Finding(_CHECK, State.OK, found)
    return Finding(
        _CHECK,
        State.WARNING,
        found,
        f"Vacuum removes no row that was settled since, and claims become slower. {_advice(horizon)}",
    )


def _advice(horizon: "Horizon") -> str:
    name = horizon.name.replace("'", "''")
    if horizon.kind == "prepared":
        return f"Commit it or take it back: ROLLBACK PREPARED '{name}'."
    if horizon.kind == "slot":
        return f"Start whoever reads the slot, or drop it: SELECT pg_drop_replication_slot('{name}')."
    if horizon.kind == "standby":
        return "A query on the standby has run for long (hot_standby_feedback): end it there."
    return (
        f"Let its program commit, or end it: SELECT pg_terminate_backend({horizon.pid}). "
        "idle_in_transaction_session_timeout ends such sessions by itself."
    )


def _words(ms: int) -> str:
    if ms < _MINUTE_MS:
        return f"{ms // _SECOND_MS} s"
    if ms < _HOUR_MS:
        return f"{ms // _MINUTE_MS} min"
    return f"{ms // _HOUR_MS} h {ms % _HOUR_MS // _MINUTE_MS} min"
