# SPDX-License-Identifier: Apache-2.0
"""Runs the servers until they are told to end: then what was admitted is answered first."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from tinyserve import platforms
from tinyserve.errors import UsageError
from tinyserve.progress import Progress, silent
from tinyserve.serve import credentials as credential_files
from tinyserve.serve.config import FleetConfig
from tinyserve.serve.gateway import PLAIN, Gateway, Options
from tinyserve.serve.member import OpenEngine
from tinyserve.serve.rest import app, patience

if TYPE_CHECKING:
    from tinyserve.serve.credentials import Credentials
    from tinyserve.serve.events.publishing import Publisher
    from tinyserve.serve.jobs.jobs import Jobs
    from tinyserve.serve.jobs.mqtt import Broker
    from tinyserve.serve.observe.tracing import Tracing
    from tinyserve.serve.rpc.server import RpcServer

_KEEP_ALIVE_S = 15
_GRACE_S = 2


@dataclass(frozen=True)
class Addresses:
    """Where it listens; ``grpc`` is "" where gRPC is off."""

    rest: str
    grpc: str


class Running:
    """A gateway and its servers, in one event loop, from ``start`` to ``stop``."""

    def __init__(
        self, config: FleetConfig, options: Options = PLAIN, open_with: OpenEngine | None = None
    ) -> None:
        self.gateway = Gateway(config, options, open_with)
        self._config = config
        self._credentials = credential_files.load(config)
        self.gateway.tracing = self._made_tracing()
        self._broker = self._made_broker()
        self._publisher = self._made_publisher()
        self._jobs = self._made_jobs()
        self._rest = _Rest(_uvicorn(self.gateway, self._credentials, self._jobs))
        self._rpc: RpcServer | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, progress: Progress = silent) -> Addresses:
        """Loads the models and listens; members open in the background."""
        await self.gateway.start(progress)
        self._serving = asyncio.create_task(self._rest.serve())
        while not self._rest.started:
            if self._serving.done():
                await self._failed_to_listen()
            await asyncio.sleep(0.01)
        if self._config.server.grpc:
            from tinyserve.serve.rpc.server import RpcServer

            self._rpc = RpcServer(self.gateway, self._credentials)
            await self._rpc.start()
        if self._broker is not None:
            self._broker.start()
        if self._publisher is not None:
            self._publisher.start()
        if self._jobs is not None:
            self._jobs.start()
        return self._addresses()

    async def stop(self) -> None:
        """Answers what was admitted, then closes everything. Jobs go on when it starts again."""
        if self._jobs is not None:
            await self._jobs.stop()
        await self.gateway.drain()
        self.gateway.hub.close()
        if self._publisher is not None:
            await self._publisher.stop()
        if self._rpc is not None:
            await self._rpc.stop(_GRACE_S)
        self._rest.should_exit = True
        if self._serving is not None:
            await self._serving
        if self._broker is not None:
            await asyncio.to_thread(self._broker.stop)
        if self.gateway.tracing is not None:
            await asyncio.to_thread(self.gateway.tracing.stop)

    def _made_tracing(self) -> Tracing | None:
        if not self._config.server.traces:
            return None
        from tinyserve.serve.observe.tracing import Tracing

        return Tracing(self._config.server.traces)

    def _made_broker(self) -> Broker | None:
        if not self._config.mqtt.broker:
            return None
        from tinyserve.serve.jobs.mqtt import Broker

        return Broker(self._config.mqtt, self._config.directory)

    def _made_publisher(self) -> Publisher | None:
        prefix = self._config.mqtt.events
        if self._broker is None or not prefix:
            return None
        from tinyserve.serve.events.publishing import Publisher

        return Publisher(self.gateway.hub, self._broker, prefix, self.gateway.observer)

    def _made_jobs(self) -> Jobs | None:
        settings = self._config.jobs
        if not settings.database:
            return None
        from tinyserve.serve.jobs.jobs import Jobs

        return Jobs(self.gateway, settings, self._config.directory, self._broker)

    async def _failed_to_listen(self) -> None:
        await self.gateway.drain()
        place = f"{self._config.server.host}:{self._config.server.port}"
        raise UsageError(f"cannot listen on {place}: it is taken", "another [server] port; 0: any")

    def _addresses(self) -> Addresses:
        host = self._config.server.host
        named = f"[{host}]" if ":" in host else host
        port = self._rest.servers[0].sockets[0].getsockname()[1]
        scheme = "https" if self._credentials.certificate else "http"
        grpc = f"{named}:{self._rpc.port}" if self._rpc is not None else ""
        return Addresses(f"{scheme}://{named}:{port}", grpc)


class _Rest(uvicorn.Server):
    """Leaves signals to us, and says that it could not start instead of ending the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def serve(self, sockets: None = None) -> None:  # type: ignore[override]
        try:
            await super().serve(sockets)
        except SystemExit:
            self.should_exit = True


def run(
    config: FleetConfig, options: Options, announce: Callable[[Addresses], None], progress: Progress = silent
) -> None:
    """Serves until SIGTERM or SIGINT. ``announce`` is called when it listens. Raises what ``Running.start``
    does."""

    async def main() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        with _signals(loop, ended):
            running = Running(config, options)
            announce(await running.start(progress))
            await ended.wait()
            await running.stop()

    loop = _event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> Iterator[None]:
    numbers = platforms.here().ending_signals()
    import signal

    for number in {*numbers, signal.SIGINT}:
        loop.add_signal_handler(number, ended.set)
    try:
        yield
    finally:
        for number in {*numbers, signal.SIGINT}:
            loop.remove_signal_handler(number)


def _event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _uvicorn(gateway: Gateway, credentials: Credentials, jobs: Jobs | None) -> uvicorn.Config:
    server, limits = gateway.config.server, gateway.config.limits
    paths = [
        str(gateway.config.path(name)) if name else None
        for name in (server.certificate, server.key, server.client_ca)
    ]
    return uvicorn.Config(
        app.build(gateway, credentials.token, jobs), host=server.host, port=server.port, log_config=None,
        http=patience.protocol(limits.body_s), access_log=False,
        lifespan="off", server_header=False, limit_concurrency=limits.connections,
        timeout_keep_alive=_KEEP_ALIVE_S, timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=paths[0], ssl_keyfile=paths[1], ssl_ca_certs=paths[2],
        ssl_cert_reqs=ssl.CERT_REQUIRED if credentials.client_ca else ssl.CERT_NONE,
    )  # fmt: skip
