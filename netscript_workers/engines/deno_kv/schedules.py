"""The schedulers' port over the file."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from netscript_workers.domain.execution import Enqueued
from netscript_workers.engines.deno_kv.queue import DenoKvQueue
from netscript_workers.engines.deno_kv.rows import batch
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.ports.schedules import Standing, Tick

_read_standing = msgspec.json.Decoder(dict[str, tuple[int, str]]).decode
_read_last = msgspec.json.Decoder(dict[str, int]).decode


class DenoKvSchedules(DenoKvQueue):
    """What a scheduler needs. Time is the host's: one file, one host."""

    async def standing(self, targets: Sequence[str], marks: Sequence[str] = ()) -> Standing:
        """See `ports.schedules.TickBook`. Nothing is written but for a target that is not known as it is."""
        now = self._wall_ms()
        asked = dict(zip(targets, marks, strict=True)) if marks else dict.fromkeys(targets, "")
        names = self._with(marks=batch(asked))
        known = _read_standing(await self._connections.read(self._sql["standing"], names))
        if any(target not in known or mark not in ("", known[target][1]) for target, mark in asked.items()):

            def begin(tx: Transaction) -> dict[str, tuple[int, str]]:
                tx.run(self._sql["begin_schedules"], names | {"now": now})
                return _read_standing(tx.one(self._sql["standing"], names))

            known = await self._connections.write(begin)
        return Standing(now, {target: last for target, (last, _) in known.items()})

    async def enqueue_ticks(self, ticks: Sequence[Tick]) -> list[Enqueued | None]:
        """See `ports.schedules.TickBook`."""
        if not ticks:
            return []
        names = batch(sorted({tick.target for tick in ticks}))

        def enqueue(tx: Transaction) -> list[Enqueued | None]:
            last = _read_last(tx.one(self._sql["last_ticks"], self._with(targets=names)))
            new = list(_new_ones(ticks, last))
            if not any(new):
                return [None] * len(ticks)
            tx.run(self._sql["advance_schedules"], self._with(last=batch(last)))
            requests = [tick.request for tick, is_new in zip(ticks, new, strict=True) if is_new]
            answers = iter(self._enqueue(tx, requests, self._wall_ms()))
            return [next(answers) if is_new else None for is_new in new]

        return await self._connections.write(enqueue)

    async def forget_schedules(self, targets: Sequence[str]) -> None:
        """See `ports.schedules.TickBook`."""
        names = self._with(targets=batch(list(targets)))
        await self._connections.write(lambda tx: tx.run(self._sql["forget_schedules"], names))


def _new_ones(ticks: Iterable[Tick], last: dict[str, int]) -> Iterator[bool]:
    """Tell of each tick whether it is new, and move `last` on."""
    for tick in ticks:
        before = last.get(tick.target)
        is_new = before is not None and tick.at > before
        if is_new:
            last[tick.target] = tick.at
        yield is_new
