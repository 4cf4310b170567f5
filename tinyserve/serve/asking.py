# SPDX-License-Identifier: Apache-2.0
"""Asks a server of ours about its fleet."""

from __future__ import annotations

import http.client
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec

from tinyserve.documents import from_json
from tinyserve.errors import DeviceError, UsageError
from tinyserve.serve.connecting import authorization, complaint, connect
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
            return from_json(self._ask("GET", "/fleet"), FleetStatus)
        except msgspec.DecodeError as error:
            raise DeviceError(f"{self.url} is no tinyserve server: {error}", "check --url") from error

    def reset(self, name: str) -> None:
        """Opens a member or a group anew. Raises UsageError where it has none of that name."""
        self._ask("POST", f"/fleet/{quote(name, safe='')}/reset")

    def _ask(self, method: str, path: str) -> bytes:
        try:
            with closing(connect(self.url, "--url", TIMEOUT_S, self.authority)) as connection:
                connection.request(method, path, headers=authorization(self.token_file))
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
            raise UsageError(f"{self.url}: {complaint(body)}", hint)
        if reply.status != 200:
            raise DeviceError(f"{self.url} answered {reply.status}: {complaint(body)}")
        return body
