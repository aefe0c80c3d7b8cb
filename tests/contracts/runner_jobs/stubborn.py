"""Handlers that do not end by themselves. Each writes a line first, so that a test knows it is under way."""

import asyncio
import signal
import time

from netscript_workers.authoring.context import JobContext


def sleeps(ctx: JobContext) -> None:
    ctx.log.info("under way")
    time.sleep(600)


async def sleeps_async(ctx: JobContext) -> None:
    ctx.log.info("under way")
    try:
        await asyncio.sleep(600)
    finally:
        ctx.log.info("cleaned up")


async def swallows(ctx: JobContext) -> None:
    ctx.log.info("under way")
    gate = ctx.payload.get("gate")
    while True:
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            ctx.log.info("no")
        if gate and _is_there(gate):
            return


def spins(ctx: JobContext) -> None:
    ctx.log.info("under way")
    gate = ctx.payload.get("gate")
    while not (gate and _is_there(gate)):
        pass


def blocks_signals(ctx: JobContext) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    ctx.log.info("under way")
    time.sleep(600)


def obeys(ctx: JobContext) -> None:
    ctx.log.info("under way")
    while not ctx.cancelled:
        time.sleep(0.005)
    ctx.log.info("obeyed")


def _is_there(path: str) -> bool:
    try:
        with open(path):
            return True
    except OSError:
        return False
