# SPDX-License-Identifier: Apache-2.0
"""tinyserve fleet beside a server that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tests.serve.fakes import Script
from tests.serve.running import serving
from tinyserve.cli.main import main

FLEET = """
[models.shapes]
source = "shapes.tflite"
[members.a]
link = "/dev/fake"
board = "nano33"
"""


def test_it_shows_and_resets_members(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_classifier(tmp_path / "shapes.tflite")
    script = Script(seconds=0.01)
    with serving(FLEET, tmp_path, open_with=script.open) as served:
        url = ["--url", f"http://{served.rest}"]
        assert main(["fleet", "status", *url]) == 0
        assert "a  ready" in capsys.readouterr().out
        script.broken["a"] = "no \x1b[31m port"
        assert main(["fleet", "reset", "a", *url]) == 0
        while served.inside(served.running.gateway.members)[0].state != "broken":
            pass
        assert main(["fleet", "status", "--json", *url]) == 8
        printed = capsys.readouterr()
        assert json.loads(printed.out)["models"][0]["members"][0]["reason"] == "no \x1b[31m port"
        assert main(["fleet", "status", *url]) == 8
        assert "\x1b[31m" not in capsys.readouterr().out
        assert main(["fleet", "reset", "none", *url]) == 2


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://127.0.0.1:9", 8),
        ("127.0.0.1:8000", 2),
        ("http://", 2),
        ("ftp://x/", 2),
        ("http://127.0.0.1:99999", 2),
        ("http://127.0.0.1:port", 2),
        ("http://[::1", 2),
    ],
)
def test_a_server_that_is_not_there(url: str, status: int) -> None:
    assert main(["fleet", "status", "--url", url]) == status
