# SPDX-License-Identifier: Apache-2.0
"""Connections that say nothing, or half of a request, give their place back."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.serve.conftest import HOST
from tests.serve.running import FREE, serving
from tinyserve.bundle import Bundle
from tinyserve.serve.rest import patience

LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("said", [b"", b"GET /v2/health/live HTT", LIVE[:-2], LIVE + b"GET /v2"])
def test_a_head_that_never_ends_is_cut(said: bytes, shapes: Bundle, tmp_path: Path) -> None:
    fleet = FREE + "[limits]\nbody_s = 0.3\n" + HOST.format(bundle=shapes.path)
    with serving(fleet, tmp_path) as served:
        host, _, port = served.rest.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(said)
            while client.recv(4096):
                pass  # ends when the server closes, and only then
        assert served.ask("/v2/health/live").status == 200


def test_refused_connections_do_not_flood_the_log(
    shapes: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seldom in patience._log.filters:
        monkeypatch.setattr(seldom, "_next_s", {})
    with serving(FREE + "[limits]\nconnections = 1\n" + HOST.format(bundle=shapes.path), tmp_path) as served:
        for _ in range(5):
            assert served.ask("/v2/health/live").status == 503
    assert sum("concurrency" in record.getMessage() for record in caplog.records) == 1
