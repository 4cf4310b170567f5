# SPDX-License-Identifier: Apache-2.0
"""A server in a thread of the test's process."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyserve.serve import config
from tinyserve.serve.gateway import PLAIN, Options
from tinyserve.serve.member import OpenEngine
from tinyserve.serve.running import Running

FREE = "[server]\nport = 0\ngrpc_port = 0\n"
PATIENCE_S = 60.0


@contextlib.contextmanager
def triton_client(module: Any, address: str) -> Iterator[Any]:
    """Triton's own client. That of HTTP closes itself again when it is collected, which may be in any thread,
    and gevent takes no other than its own: it is closed once."""
    client = module.InferenceServerClient(address)
    try:
        yield client
    finally:
        client.close()
        client.close = lambda: None


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A server that runs: ``rest`` and ``grpc`` are host:port."""

    running: Running
    rest: str
    grpc: str
    loop: asyncio.AbstractEventLoop

    def ask(self, path: str, body: bytes | None = None, method: str = "", **headers: str) -> Reply:
        """One request; ``headers``: _ stands for -."""
        connection = http.client.HTTPConnection(self.rest, timeout=PATIENCE_S)
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            reply = connection.getresponse()
            return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def inside(self, function: Callable[[], Any]) -> Any:
        """What ``function`` (or its coroutine) gives in the server's event loop."""

        async def call() -> Any:
            found = function()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(PATIENCE_S)

    def wait_ready(self, members: int = 1) -> None:
        """Until so many members serve."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = self.inside(self.running.gateway.members)
            if sum(member.state == "ready" for member in found) >= members:
                return
            time.sleep(0.02)
        raise AssertionError([(member.name, member.state, member.reason) for member in found])


@contextlib.contextmanager
def serving(
    fleet: str,
    folder: Path,
    options: Options = PLAIN,
    open_with: OpenEngine | None = None,
    *,
    members: int = 1,
) -> Iterator[Served]:
    """Serves the fleet at free ports until the end of the block, once ``members`` are ready."""
    text = fleet if "[server]" in fleet else FREE + fleet
    parsed = config.parse(text, folder / "fleet.toml")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> Served:
        running = Running(parsed, options, open_with)
        addresses = await running.start()
        return Served(running, addresses.rest.partition("://")[2], addresses.grpc, loop)

    served = asyncio.run_coroutine_threadsafe(start(), loop).result(PATIENCE_S)
    try:
        served.wait_ready(members)
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(served.running.stop(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()
