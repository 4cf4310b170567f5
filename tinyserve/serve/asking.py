# SPDX-License-Identifier: Apache-2.0
"""Asks a server of ours about its fleet: plain HTTP with the standard library."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from tinyserve.errors import DeviceError, FileSystemError, UsageError
from tinyserve.escapes import visible
from tinyserve.serve.status import FleetStatus

TIMEOUT_S = 10.0
MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Server:
    """Where a server listens. ``authority``: a PEM file with the certificate that its own is checked
    against."""

    url: str
    token_file: Path | None = None
    authority: Path | None = None

    def status(self) -> FleetStatus:
        """What its members do. Raises DeviceError where it does not answer, or is no server of ours."""
        try:
            return msgspec.json.decode(self._ask("GET", "/fleet"), type=FleetStatus)
        except msgspec.DecodeError as error:
            raise DeviceError(f"{self.url} is no tinyserve server: {error}", "check --url") from error

    def reset(self, name: str) -> None:
        """Opens a member or a group anew. Raises UsageError where it has none of that name."""
        self._ask("POST", f"/fleet/{quote(name, safe='')}/reset")

    def _ask(self, method: str, path: str) -> bytes:
        try:
            with closing(self._connection()) as connection:
                connection.request(method, path, headers=self._headers())
                reply = connection.getresponse()
                body = reply.read(MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise DeviceError(
                f"{self.url} does not answer: {error}",
                "start it with `tinyserve serve`, or name it with --url",
            ) from error
        if reply.status in (401, 404):
            hint = (
                "--token-file names its token"
                if reply.status == 401
                else "`tinyserve fleet status` lists them"
            )
            raise UsageError(f"{self.url}: {_error(body)}", hint)
        if reply.status != 200:
            raise DeviceError(f"{self.url} answered {reply.status}: {_error(body)}")
        return body

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--url {self.url}: not a server's URL", "for example http://127.0.0.1:8000")
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
        context = ssl.create_default_context(cafile=str(self.authority) if self.authority else None)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S, context=context)

    def _headers(self) -> dict[str, str]:
        if self.token_file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {self.token_file.read_text(encoding='utf-8').strip()}"}
        except OSError as error:
            raise FileSystemError(f"{self.token_file}: {error.strerror}", "check --token-file") from error


class _Error(msgspec.Struct):
    error: str


def _error(body: bytes) -> str:
    try:
        return visible(msgspec.json.decode(body, type=_Error).error)[:1000]
    except msgspec.DecodeError:
        return visible(body[:200].decode("utf-8", errors="replace"))
