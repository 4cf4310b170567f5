# SPDX-License-Identifier: Apache-2.0
"""What people look at: the status page, the API's description, the fleet's state as JSON."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tinyserve.serve import status
from tinyserve.serve.gateway import Gateway
from tinyserve.serve.rest.openapi import description
from tinyserve.serve.rest.replies import as_json

_HERE = Path(__file__).parent
_STATUS = _HERE.joinpath("status.html").read_bytes()
_DOCS = _HERE.joinpath("docs.html").read_bytes()
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def routes(gateway: Gateway) -> list[Route]:
    """Their paths."""

    async def page(request: Request) -> Response:
        return Response(_STATUS, headers=_HEADERS, media_type="text/html")

    async def docs(request: Request) -> Response:
        return Response(_DOCS, headers=_HEADERS, media_type="text/html")

    async def openapi(request: Request) -> Response:
        return as_json(description())

    async def fleet(request: Request) -> Response:
        return as_json(status.of(gateway))

    async def reset(request: Request) -> Response:
        gateway.reset(request.path_params["name"])
        return as_json({})

    return [
        Route("/", page, methods=["GET"]),
        Route("/docs", docs, methods=["GET"]),
        Route("/openapi.json", openapi, methods=["GET"]),
        Route("/fleet", fleet, methods=["GET"]),
        Route("/fleet/{name}/reset", reset, methods=["POST"]),
    ]
