# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tinyserve.errors import DeviceError
from tinyserve.slots import connection

HOLDER = """
import sys
from pathlib import Path
from tinyserve.locks import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_twin_that_another_process_runs_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(connection, "_PATIENCE_S", 0.2)
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with (
            pytest.raises(DeviceError, match="another tinyserve runs the twin") as caught,
            connection.held(tmp_path),
        ):
            pass
        assert "--port /dev/pts/N" in caught.value.hint
        other.communicate()
    with connection.held(tmp_path):
        pass
