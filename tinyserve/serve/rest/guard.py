# SPDX-License-Identifier: Apache-2.0
"""What every HTTP request passes first: the token, where it comes from, how large it is; and errors as
JSON."""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import zlib
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tinyserve.errors import TinyserveError
from tinyserve.serve.config import LOOPBACK, Limits, Server
from tinyserve.serve.errors import RequestError, TooLargeError, UnavailableError
from tinyserve.serve.rest.replies import as_json

_OPEN = ("/v2/health/live", "/v2/health/ready", "/", "/docs")
"""Asked for without a token: probes, and pages that hold nothing but their own text."""
_log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware. ``token`` "" asks for none: then only this computer's own names are served, and no
    page of another site may call us from a browser."""

    def __init__(self, app: ASGIApp, server: Server, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode() if token else b""
        self._hosts = {*LOOPBACK, *server.hosts, server.host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {
            key: value for key, value in scope["headers"] if key in (b"authorization", b"host", b"origin")
        }
        if self._expected and scope["path"] not in _OPEN:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                return error_response(401, "a bearer token is needed", {"www-authenticate": "Bearer"})
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._expected and _name(host) not in self._hosts:
            return error_response(
                421, f"this server is not called {host[:80]!r}; name it in [server] hosts, or ask for a token"
            )
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and urlsplit(origin).netloc != host:
            return error_response(403, "pages of other sites may not call this server")
        return None


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def read_body(request: Request, limits: Limits, most: int | None = None) -> bytes:
    """The whole body, of at most ``most`` bytes where that is less than the limit.

    Raises TooLargeError before more is in memory, RequestError where it does not come in time or is damaged.
    """
    most = limits.body_bytes if most is None else min(most, limits.body_bytes)
    try:
        body = await asyncio.wait_for(_gather(request, most), limits.body_s)
    except asyncio.TimeoutError as error:
        raise RequestError(f"the body did not come within {limits.body_s:g} s") from error
    except ClientDisconnect as error:
        raise RequestError("the client went away in the middle of the body") from error
    encoding = request.headers.get("content-encoding", "identity").lower()
    return body if encoding == "identity" else _inflated(body, encoding, most)


async def _gather(request: Request, most: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _inflated(body: bytes, encoding: str, most: int) -> bytes:
    windows = {"gzip": 31, "deflate": 15}
    if encoding not in windows:
        raise RequestError(f"content-encoding {encoding[:40]!r} is not known here", "gzip, deflate, or none")
    inflater = zlib.decompressobj(windows[encoding])
    try:
        whole = inflater.decompress(body, most + 1)
    except zlib.error as error:
        raise RequestError(f"the body is no {encoding}: {error}") from error
    if len(whole) > most:
        raise _too_large(most)
    if not inflater.eof:
        raise RequestError(f"the {encoding} body ends too early")
    return whole


def _too_large(most: int) -> TooLargeError:
    return TooLargeError(
        f"the body is larger than {most} bytes",
        "send fewer samples, or raise body_bytes and batch in [limits]",
    )


def error_response(
    status: int, message: str, headers: dict[str, str] | None = None, **more: object
) -> Response:
    """As the protocol has errors: {"error": "..."}."""
    return as_json({"error": message, **more}, status, headers)


async def on_expected(request: Request, error: Exception) -> Response:
    """An answer to an error that a client or a member caused."""
    assert isinstance(error, TinyserveError)
    if isinstance(error, UnavailableError):
        wait = {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
        return error_response(
            error.http_status,
            str(error),
            wait,
            reason=error.reason,
            retry_after_ms=math.ceil(error.retry_after_s * 1e3),
        )
    status = error.http_status if isinstance(error, RequestError) else 500
    return error_response(status, str(error))


async def on_bug(request: Request, error: Exception) -> Response:
    """An answer to an error of ours: its trace is in the log, not in the answer."""
    _log.error("%s %s", request.method, request.url.path, exc_info=error)
    return error_response(500, "internal error: see the server's log")
