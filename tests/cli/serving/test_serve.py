# SPDX-License-Identifier: Apache-2.0
"""tinyserve serve as a program: it says where it listens, and SIGTERM ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from click.testing import CliRunner

from tests.bench.models import write_classifier
from tests.serve.conftest import HOST
from tests.serve.running import FREE
from tinyserve.cli.main import main
from tinyserve.cli.serving.serve import command
from tinyserve.errors import UsageError

FLEET = FREE + HOST.format(bundle="shapes.tflite")


def test_it_serves_until_it_is_terminated(tmp_path: Path) -> None:
    write_classifier(tmp_path / "shapes.tflite")
    (tmp_path / "fleet.toml").write_text(FLEET)
    command = [sys.executable, "-m", "tinyserve", "serve", "fleet.toml"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert process.stdout.readline().startswith("grpc://127.0.0.1:")
        with urllib.request.urlopen(f"{address}/v2/models/shapes", timeout=30) as reply:
            assert json.load(reply)["name"] == "shapes"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    import socket

    write_classifier(tmp_path / "shapes.tflite")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "fleet.toml").write_text(FLEET.replace("port = 0\ngrpc", f"port = {port}\ngrpc"))
        result = CliRunner().invoke(command, [str(tmp_path / "fleet.toml")])
    assert isinstance(result.exception, UsageError) and str(port) in result.exception.message


def test_a_file_that_is_wrong_is_usage(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[members]\n")
    assert main(["serve", str(tmp_path / "fleet.toml")]) == 2
    assert main(["serve", str(tmp_path / "none.toml")]) == 9
