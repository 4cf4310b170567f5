# SPDX-License-Identifier: Apache-2.0
"""What the endpoints have in common: the model that a path names, and answers as JSON or with tensors behind
it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tinyserve.serve.rest.oip import HEADER_LENGTH


def named(request: Request) -> tuple[str, str]:
    """The model and version ("": any) in a path."""
    return request.path_params["model"], request.path_params.get("version", "")


def as_json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Any plain object as JSON."""
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")


def inferred(content: bytes, header_length: int | None) -> Response:
    """An inference's answer, as ``oip.encode`` gives it."""
    if header_length is None:
        return Response(content, media_type="application/json")
    headers = {HEADER_LENGTH: str(header_length)}
    return Response(content, headers=headers, media_type="application/octet-stream")
