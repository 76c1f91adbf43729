"""A Sanic application that really listens, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sanic import Sanic
from sanic.server import AsyncioServer

from service.http import Protocol


@contextmanager
def serving(app: Sanic) -> Iterator[str]:
    """Serve `app` on a free port of 127.0.0.1; yield its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listener = socket.create_server(("127.0.0.1", 0))

    async def start() -> AsyncioServer:
        server = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False, protocol=Protocol)
        await server.startup()
        await server.start_serving()
        return server

    async def stop() -> None:
        # Callers keep their connections open, and a coroutine that waits on one would outlive its loop.
        for connection in list(server.connections):
            connection.abort()
        server.close()
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
