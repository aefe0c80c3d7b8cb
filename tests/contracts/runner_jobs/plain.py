"""Handlers that end well, or fail by themselves."""

from typing import Any, TypedDict

from netscript_workers.authoring.context import JobContext
from netscript_workers.authoring.results import Abort, failure, success


class Order(TypedDict):
    order: str
    cents: int


def echo(ctx: JobContext) -> Any:
    return success({"payload": ctx.payload, "id": ctx.id, "attempt": ctx.attempt, "of": ctx.max_attempts})


async def echo_async(ctx: JobContext) -> Any:
    return {"payload": ctx.payload, "id": ctx.id, "attempt": ctx.attempt, "of": ctx.max_attempts}


def nothing(ctx: JobContext) -> None:
    return None


async def nothing_async(ctx: JobContext) -> None:
    return None


def fails(ctx: JobContext) -> Any:
    return failure("no stock", {"left": 0}, retry=False)


def raises(ctx: JobContext) -> None:
    raise LookupError("no such order")


async def raises_async(ctx: JobContext) -> None:
    raise LookupError("no such order")


def aborts(ctx: JobContext) -> None:
    raise Abort("never again")


def typed(ctx: JobContext, order: Order) -> Any:
    return order["cents"]


def not_json(ctx: JobContext) -> Any:
    return {"rows": [1, {"when": object()}]}


def exits(ctx: JobContext) -> None:
    raise SystemExit(3)
