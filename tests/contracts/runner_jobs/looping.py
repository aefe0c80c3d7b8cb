"""Handlers that lean on the event loop: on its being woken, its signals, its subprocesses, and its going round."""

import asyncio
import os
import signal
import sys
import threading
from typing import Any

from netscript_workers.authoring.context import JobContext


async def goes_round(ctx: JobContext) -> None:
    ctx.log.info("under way")
    while True:
        await asyncio.sleep(0)


async def woken_by_thread(ctx: JobContext) -> Any:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(woken.set,))
    thread.start()
    await woken.wait()
    await asyncio.to_thread(thread.join)
    return {"on": type(loop).__module__.partition(".")[0]}


async def takes_signal(ctx: JobContext) -> Any:
    loop, seen = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR2, seen.set)
    try:
        os.kill(os.getpid(), signal.SIGUSR2)
        await seen.wait()
    finally:
        loop.remove_signal_handler(signal.SIGUSR2)
    return {"took": "SIGUSR2"}


async def runs_program(ctx: JobContext) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-Sc", "print('hello')", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return {"said": said.decode().strip(), "status": process.returncode}


async def talks_to_itself(ctx: JobContext) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"an echo\n")
        heard = await reader.readline()
        writer.close()
        await writer.wait_closed()
    return {"heard": heard.decode().strip()}
