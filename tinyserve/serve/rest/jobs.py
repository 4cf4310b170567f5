# SPDX-License-Identifier: Apache-2.0
"""Jobs over HTTP: an inference with `Prefer: respond-async` is one; its state and result are fetched by its
id."""

from __future__ import annotations

from typing import get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tinyserve.serve.errors import RequestError
from tinyserve.serve.jobs.jobs import Jobs
from tinyserve.serve.jobs.store import Delivery, State
from tinyserve.serve.rest.oip import HEADER_LENGTH
from tinyserve.serve.rest.replies import as_json, inferred, named

MOST_LISTED = 100
_STATES = ("", *get_args(State))
_DELIVERIES = get_args(Delivery)


def is_asynchronous(request: Request) -> bool:
    """Whether the client prefers to fetch the answer later (RFC 7240)."""
    preferences = request.headers.get("prefer", "").lower().split(",")
    return any(one.strip().partition(";")[0] == "respond-async" for one in preferences)


async def submitted(request: Request, body: bytes, jobs: Jobs) -> Response:
    """The answer to an inference that became a job."""
    job = await jobs.submit(
        body,
        request.headers.get(HEADER_LENGTH),
        *named(request),
        key=request.headers.get("idempotency-key", ""),
    )
    headers = {"location": f"/v2/jobs/{job.id}", "preference-applied": "respond-async"}
    return as_json(job, 202, headers)


def routes(jobs: Jobs) -> list[Route]:
    """Their paths."""

    async def show(request: Request) -> Response:
        return as_json(await jobs.get(request.path_params["job"]))

    async def show_all(request: Request) -> Response:
        state, delivery = (request.query_params.get(name, "") for name in ("state", "delivery"))
        if state not in _STATES or delivery not in _DELIVERIES:
            raise RequestError(
                "state is queued, running, done or failed; delivery pending, delivered or dead"
            )
        found = await jobs.latest(state, delivery, MOST_LISTED)
        return as_json(found)

    async def result(request: Request) -> Response:
        job = await jobs.get(request.path_params["job"])
        stored = await jobs.result(job.id)
        if stored is None:
            return as_json(job, 500 if job.state == "failed" else 202, {"retry-after": "1"})
        return inferred(*stored)

    async def remove(request: Request) -> Response:
        await jobs.remove(request.path_params["job"])
        return Response(status_code=204)

    async def redeliver(request: Request) -> Response:
        await jobs.redeliver(request.path_params["job"])
        return as_json({}, 202)

    return [
        Route("/v2/jobs", show_all, methods=["GET"]),
        Route("/v2/jobs/{job}", show, methods=["GET"]),
        Route("/v2/jobs/{job}", remove, methods=["DELETE"]),
        Route("/v2/jobs/{job}/result", result, methods=["GET"]),
        Route("/v2/jobs/{job}/redeliver", redeliver, methods=["POST"]),
    ]
