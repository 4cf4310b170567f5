# SPDX-License-Identifier: Apache-2.0
"""The HTTP application: which path is answered by what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tinyserve.documents import from_json
from tinyserve.errors import TinyserveError
from tinyserve.serve import extensions
from tinyserve.serve.errors import RequestError
from tinyserve.serve.gateway import Gateway
from tinyserve.serve.jobs.jobs import Jobs
from tinyserve.serve.rest import events, oip, pages, tfserving
from tinyserve.serve.rest import jobs as job_routes
from tinyserve.serve.rest.guard import Guard, error_response, on_bug, on_expected, read_body
from tinyserve.serve.rest.replies import as_json, inferred, named

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]

_SHARED_MEMORY = ("/v2/systemsharedmemory", "/v2/cudasharedmemory")
_NOT_SHARED = "shared memory is not supported: send tensors in the request's body"


def build(gateway: Gateway, token: str = "", jobs: Jobs | None = None) -> Starlette:
    """The application for a gateway; ``jobs`` where inferences may be answered later."""
    endpoints = Endpoints(gateway, jobs)
    return Starlette(
        routes=[
            *endpoints.routes(),
            *tfserving.routes(gateway),
            *pages.routes(gateway),
            *events.routes(gateway.hub),
            *(job_routes.routes(jobs) if jobs is not None else []),
        ],
        middleware=[Middleware(Guard, server=gateway.config.server, token=token)],
        exception_handlers={TinyserveError: on_expected, HTTPException: _on_http, Exception: on_bug},
    )


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    is_shared = path.startswith(_SHARED_MEMORY)
    what = {
        404: _NOT_SHARED if is_shared else f"there is nothing at {path[:200]}",
        405: f"{request.method} is not for this path",
    }
    headers = dict(error.headers) if error.headers else None
    return error_response(error.status_code, what.get(error.status_code, error.detail), headers)


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """The result of ``work``, which is given up where the client goes away meanwhile (the body was read).

    Nothing is watched of what is done at once.
    """
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    if task.done():
        return task.result()
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
        return await task
    finally:
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Endpoints:
    """The protocol's endpoints."""

    def __init__(self, gateway: Gateway, jobs: Jobs | None) -> None:
        self._gateway = gateway
        self._jobs = jobs

    def routes(self) -> list[Route]:
        """Their paths."""
        model = "/v2/models/{model}"
        versions = (model, f"{model}/versions/{{version}}")
        return [
            *(Route(f"{path}/infer", self.infer, methods=["POST"]) for path in versions),
            Route("/v2", self.server, methods=["GET"]),
            Route("/v2/health/live", self.live, methods=["GET"]),
            Route("/v2/health/ready", self.ready, methods=["GET"]),
            Route("/v2/models/stats", self.all_statistics, methods=["GET"]),
            *(Route(path, self.metadata, methods=["GET"]) for path in versions),
            *(Route(f"{path}/ready", self.model_ready, methods=["GET"]) for path in versions),
            *(Route(f"{path}/config", self.config, methods=["GET"]) for path in versions),
            *(Route(f"{path}/stats", self.statistics, methods=["GET"]) for path in versions),
            Route("/v2/repository/index", self.index, methods=["POST"]),
            Route("/v2/repository/models/{model}/load", self.load, methods=["POST"]),
            Route("/v2/repository/models/{model}/unload", self.unload, methods=["POST"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def server(self, request: Request) -> Response:
        return as_json(extensions.server())

    async def live(self, request: Request) -> Response:
        return as_json({"live": True})

    async def ready(self, request: Request) -> Response:
        is_ready = self._gateway.is_ready()
        return as_json({"ready": is_ready}, 200 if is_ready else 503)

    async def model_ready(self, request: Request) -> Response:
        pool = self._gateway.pool(*named(request))
        return as_json({"name": pool.model.name, "ready": pool.is_ready}, 200 if pool.is_ready else 503)

    async def metadata(self, request: Request) -> Response:
        return as_json(oip.metadata(self._gateway.pool(*named(request)).model))

    async def config(self, request: Request) -> Response:
        return as_json(extensions.config(self._gateway.pool(*named(request)), self._gateway.config.limits))

    async def infer(self, request: Request) -> Response:
        name, version = named(request)
        model = self._gateway.pool(name, version).model
        limits = self._gateway.config.limits
        body = await read_body(request, limits, model.body_bytes(limits.batch))
        if self._jobs is not None and job_routes.is_asynchronous(request):
            return await job_routes.submitted(request, body, self._jobs)
        asked, parsed = oip.decode(body, request.headers.get(oip.HEADER_LENGTH), version, model)
        asked = replace(asked, traceparent=request.headers.get("traceparent", ""))
        answer = await while_connected(request, self._gateway.infer(asked, "rest"))
        return inferred(*oip.encode(answer, asked, parsed))

    async def statistics(self, request: Request) -> Response:
        pool = self._gateway.pool(*named(request))
        return as_json({"model_stats": [extensions.statistics(pool, self._gateway.observer)]})

    async def all_statistics(self, request: Request) -> Response:
        return as_json({"model_stats": extensions.all_statistics(self._gateway)})

    async def index(self, request: Request) -> Response:
        body = await read_body(request, self._gateway.config.limits)
        only_ready = _decoded(body, _Index).ready if body else False
        return as_json(extensions.index(self._gateway, only_ready))

    async def load(self, request: Request) -> Response:
        await self._repository(request)
        await self._gateway.load(request.path_params["model"])
        return as_json({})

    async def unload(self, request: Request) -> Response:
        await self._repository(request)
        await self._gateway.unload(request.path_params["model"])
        return as_json({})

    async def metrics(self, request: Request) -> Response:
        return Response(generate_latest(self._gateway.observer.registry), media_type=CONTENT_TYPE_LATEST)

    async def _repository(self, request: Request) -> None:
        body = await read_body(request, self._gateway.config.limits)
        extensions.check_loading(_decoded(body, _Repository).parameters if body else {})


class _Index(msgspec.Struct):
    ready: bool = False


class _Repository(msgspec.Struct):
    parameters: dict[str, Any] = {}


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return from_json(body, kind)
    except msgspec.DecodeError as error:
        raise RequestError(f"the body is malformed: {error}") from error
