# SPDX-License-Identifier: Apache-2.0
"""Connections to a server: plain HTTP with the standard library."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tinyserve.documents import from_json
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.escapes import visible


def connect(
    url: str, option: str, timeout_s: float, authority: Path | None = None
) -> http.client.HTTPConnection:
    """A connection to the server at ``url``, which opens with its first request. ``option`` named the URL.
    ``authority``: a PEM file with the certificate that the server's is checked against; None: the system's.

    Raises UsageError for a URL that names no server.
    """
    scheme, host, port = _place(url)
    if scheme not in ("http", "https") or not host:
        raise UsageError(f"{option} {url}: not a server's URL", "for example http://127.0.0.1:8000")
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=str(authority)) if authority else None
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


def _place(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port; no host where the URL can't be read, such as one with port 99999."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None


def complaint(body: bytes) -> str:
    """What an endpoint says of the request that it did not answer: the protocol's {"error": "..."}, or the
    beginning of anything else."""
    try:
        return visible(from_json(body, _Error).error)[:1000]
    except msgspec.DecodeError:
        return visible(body[:200].decode("utf-8", errors="replace"))


class _Error(msgspec.Struct):
    error: str


def authorization(token_file: Path | None) -> dict[str, str]:
    """The header with the bearer token in a file; none without one. Raises FileSystemError."""
    if token_file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {token_file.read_text(encoding='utf-8').strip()}"}
    except OSError as error:
        raise FileSystemError(f"{token_file}: {error.strerror}", "check --token-file") from error
