"""Wakes whoever waits on this queue, through the server's publish and subscribe, on a connection of its own.

What is heard is a hint, never the truth: a bell may be missed while the connection is down, so every wait has a bound after
which its caller looks again, and a new subscription counts as having heard everything.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Generator, Iterable
from enum import StrEnum
from typing import Any, Final, cast

from redis.exceptions import RedisError

from netscript_workers.engines.redis.address import Link
from netscript_workers.engines.redis.connection import COMMAND_S, Server
from netscript_workers.engines.redis.failures import explained
from netscript_workers.engines.redis.records import long

LOOK_AGAIN_S: Final = 2.0
_HEARTBEAT_S: Final = 10.0
_READY_S: Final = 2.0
_MAX_DELAY_S: Final = 5.0
_ALL: Final = "*"

log = logging.getLogger("netscript_workers.engines.redis")


class Bell(StrEnum):
    """What may have happened: the end of its channel's name."""

    WORK = "work"  # names topics
    CANCEL = "cancel"  # names nothing
    END = "end"  # names executions


class Ear:
    """Hears one bell, for some names."""

    def __init__(self, bell: Bell, names: frozenset[str]) -> None:
        """Begin in silence; no names means all."""
        self.bell = bell
        self.names = names
        self._heard = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._heard.set()

    async def wait(self, seconds: float) -> bool:
        """Return True once the bell has rung, False after `seconds`. Silent again afterwards."""
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        return True


class Bells:
    """The bells of one queue. Owns a task and a connection from the first `listen` to `close`."""

    def __init__(self, server: Server, root: str) -> None:
        """Subscribe to nothing yet. `root` begins the names of the channels."""
        self._server = server
        self._channels = {bell: f"{root}:{bell.value}" for bell in Bell}
        self._bells = {name.encode(): bell for bell, name in self._channels.items()}
        self._wanted: set[Bell] = set()
        self._subscribed = {bell: asyncio.Event() for bell in Bell}
        self._ears: set[Ear] = set()
        self._strokes: dict[str, int] = {}
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None

    async def listen(self, bell: Bell) -> None:
        """Hear `bell` from now on. Returns when the server has confirmed it, or after a while without."""
        if self._subscribed[bell].is_set():
            return
        await self.begin(bell)
        try:
            async with asyncio.timeout(_READY_S):
                await self._subscribed[bell].wait()
        except TimeoutError:
            log.debug("not subscribed to %s yet: looking every %.0f s", bell.value, LOOK_AGAIN_S)

    async def begin(self, bell: Bell) -> None:
        """Have `bell` heard soon, without waiting for it."""
        if bell in self._wanted:
            return
        self._wanted.add(bell)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._listen(), name="redis bells")
        elif self._link is not None:
            # One that fails here fails in the task too, which connects again and subscribes to all.
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(COMMAND_S):
                    await self._link.send_command("SUBSCRIBE", self._channels[bell], check_health=False)

    async def check(self) -> None:
        """Ring for nobody; raises `EngineUnavailableError` when this user may not."""
        await self._server.call("PUBLISH", self._channels[Bell.WORK], "")

    async def close(self) -> None:
        """Let go of the task and the connection; whoever still waits is woken."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=_READY_S)
        self._wanted.clear()
        self._ring_all()

    def strokes(self, topic: str) -> int:
        """Return how often work was announced for `topic`."""
        return self._strokes.get(topic, 0) + self._strokes.get(_ALL, 0)

    @contextlib.contextmanager
    def hearing(self, bell: Bell, names: Iterable[str] = ()) -> Generator[Ear]:
        """Have an ear for the time of a `with`: what rings within is not missed."""
        ear = Ear(bell, frozenset(names))
        self._ears.add(ear)
        try:
            yield ear
        finally:
            self._ears.discard(ear)

    async def _listen(self) -> None:
        delay, said = 0.05, False
        while True:
            link = self._server.connection()
            try:
                async with asyncio.timeout(COMMAND_S):
                    await link.connect()
                    self._link = link  # whatever is wanted from here on is asked for by whoever wants it
                    channels = [self._channels[bell] for bell in sorted(self._wanted)]
                    await link.send_command("SUBSCRIBE", *channels, check_health=False)
                async with contextlib.aclosing(self._heard(link)) as heard:
                    async for _ in heard:
                        delay, said = 0.05, False
                        # Whoever was woken goes on first: its wait ends, its next command is sent, then we listen again.
                        await asyncio.sleep(0)
                        await asyncio.sleep(0)
            except (RedisError, OSError, TimeoutError) as error:
                self._server.leave(link)
                if not said:
                    said = True
                    log.info("cannot be woken by the server for now, looking by turns: %s", self._why(error))
            except Exception:
                log.exception("a fault of our own while listening to Redis; please report this")
            finally:
                self._link = None
                for event in self._subscribed.values():
                    event.clear()
                await link.disconnect(nowait=True)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, _MAX_DELAY_S)

    def _why(self, error: Exception) -> Exception:
        return explained(error, self._server.where)

    async def _heard(self, link: Link) -> AsyncGenerator[None]:
        silent = 0
        while True:
            reading = cast("Any", link.read_response(disable_decoding=True, timeout=_HEARTBEAT_S))
            message: list[Any] | None = await reading
            if message is None:
                silent += 1
                if silent > 1:
                    raise TimeoutError("it has not answered a ping")
                async with asyncio.timeout(COMMAND_S):
                    await link.send_command("PING", check_health=False)
                continue
            silent = 0
            self._take(message)
            yield

    def _take(self, message: list[Any]) -> None:
        match message:
            case [b"message", bytes(channel), bytes(text)]:
                bell = self._bells[channel]
                self._ring(bell, _ids(text) if bell is Bell.END else text.decode().split(" "))
            case [b"subscribe", bytes(channel), _]:
                bell = self._bells[channel]
                self._subscribed[bell].set()
                self._ring(bell, [_ALL])  # whatever rang before was not heard
            case _:
                pass  # the answer to a ping

    def _ring(self, bell: Bell, names: list[str]) -> None:
        if bell is Bell.WORK:
            for name in names:
                self._strokes[name] = self._strokes.get(name, 0) + 1
        everybody = _ALL in names
        for ear in self._ears:
            if ear.bell is bell and (everybody or not ear.names or not ear.names.isdisjoint(names)):
                ear.ring()

    def _ring_all(self) -> None:
        for bell in Bell:
            self._ring(bell, [_ALL])


def _ids(text: bytes) -> list[str]:
    """Read short ids, each behind its length."""
    names: list[str] = []
    place = 0
    while place < len(text):
        end = place + 1 + text[place]
        names.append(long(text[place + 1 : end]))
        place = end
    return names
