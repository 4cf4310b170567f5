# SPDX-License-Identifier: Apache-2.0
"""The gRPC server: the protocol, health, reflection."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tinyserve.errors import UsageError
from tinyserve.serve.config import Limits
from tinyserve.serve.credentials import Credentials
from tinyserve.serve.gateway import Gateway
from tinyserve.serve.rpc import events
from tinyserve.serve.rpc.messages import POOL, SERVICE
from tinyserve.serve.rpc.service import Service, TokenInterceptor

_WATCH_S = 0.5
_IDLE_MS = 300_000
"""Connections without a call are closed then; clients open them again by themselves."""
_FRAME_BYTES = 1 << 16
"""What a message may be larger than its tensors."""


class RpcServer:
    """Listens from ``start`` to ``stop``."""

    def __init__(self, gateway: Gateway, credentials: Credentials) -> None:
        self._gateway = gateway
        self._credentials = credentials
        self._health = health.aio.HealthServicer()
        self._watch: asyncio.Task[None] | None = None
        self._server = self._made(gateway.config.limits)
        self.port = 0

    async def start(self) -> None:
        """Raises UsageError where the port is taken."""
        server = self._gateway.config.server
        place = f"[{server.host}]" if ":" in server.host else server.host
        try:
            self.port = self._bind(f"{place}:{server.grpc_port}")
        except RuntimeError as error:
            raise UsageError(
                f"cannot listen on {place}:{server.grpc_port} for gRPC", "another [server] grpc_port; 0: any"
            ) from error
        await self._server.start()
        self._watch = asyncio.create_task(self._watch_health())

    async def stop(self, grace_s: float) -> None:
        """Calls that go on have ``grace_s`` to end."""
        if self._watch is not None:
            self._watch.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    def _made(self, limits: Limits) -> Any:
        interceptors = [TokenInterceptor(self._credentials.token)] if self._credentials.token else []
        server = grpc.aio.server(
            interceptors=interceptors,
            maximum_concurrent_rpcs=limits.connections,
            options=[
                ("grpc.max_receive_message_length", limits.body_bytes + _FRAME_BYTES),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                ("grpc.server_handshake_timeout_ms", round(limits.body_s * 1e3)),
                ("grpc.max_connection_idle_ms", _IDLE_MS),
            ],
        )
        handlers = Service(self._gateway).handlers(), events.handlers(self._gateway.hub)
        server.add_generic_rpc_handlers(handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server, pool=_Both())
        return server

    def _bind(self, place: str) -> int:
        tls = self._credentials
        if not tls.certificate:
            return int(self._server.add_insecure_port(place))
        credentials = grpc.ssl_server_credentials(
            [(tls.key, tls.certificate)], tls.client_ca or None, require_client_auth=bool(tls.client_ca)
        )
        return int(self._server.add_secure_port(place, credentials))

    async def _watch_health(self) -> None:
        """Tells the health service whether models serve."""
        status = health_pb2.HealthCheckResponse
        while True:
            states = {"": self._gateway.is_ready(), SERVICE: self._gateway.is_ready()}
            for name, is_ready in states.items():
                await self._health.set(name, status.SERVING if is_ready else status.NOT_SERVING)
            await asyncio.sleep(_WATCH_S)


class _Both:
    """Our messages' pool, and behind it the one of the services that come with grpcio."""

    def __getattr__(self, name: str) -> Any:
        ours, default = getattr(POOL, name), getattr(descriptor_pool.Default(), name)

        def find(*arguments: Any) -> Any:
            try:
                return ours(*arguments)
            except KeyError:
                return default(*arguments)

        return find
