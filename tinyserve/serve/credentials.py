# SPDX-License-Identifier: Apache-2.0
"""The token, certificates and keys that fleet.toml names, read when the server starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tinyserve.errors import FileSystemError, UsageError
from tinyserve.serve.config import FleetConfig

LEAST_TOKEN = 16


@dataclass(frozen=True)
class Credentials:
    """``token`` "": none is asked for. Certificates and keys in PEM; b"" where there is no TLS."""

    token: str = field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    client_ca: bytes = b""


def load(config: FleetConfig) -> Credentials:
    """Raises FileSystemError where a file can't be read, UsageError for a token that can be guessed."""
    server = config.server
    token = ""
    if server.token_file:
        token = _read(config.path(server.token_file)).decode("utf-8", errors="replace").strip()
        if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable():
            raise UsageError(
                f"{server.token_file}: a token has {LEAST_TOKEN} or more printable ASCII characters",
                f"openssl rand -hex 32 > {server.token_file}",
            )
    return Credentials(
        token,
        _read(config.path(server.certificate)) if server.certificate else b"",
        _read(config.path(server.key)) if server.key else b"",
        _read(config.path(server.client_ca)) if server.client_ca else b"",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check the path in [server]") from error
