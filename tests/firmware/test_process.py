# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tinyserve.errors import ToolError
from tinyserve.firmware.process import run, run_all


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_output_and_status_come_back(tmp_path: Path) -> None:
    finished = run(
        _python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), tmp_path, 60
    )
    assert finished.status == 3
    assert set(finished.output.split()) == {"out", "err"}


def test_results_are_in_the_order_of_the_commands(tmp_path: Path) -> None:
    commands = [_python(f"import time; time.sleep({0.2 - 0.1 * i}); print({i})") for i in range(3)]
    assert [f.output.strip() for f in run_all(commands, tmp_path, 60, jobs=3)] == ["0", "1", "2"]


def test_more_output_than_a_pipe_holds_does_not_block(tmp_path: Path) -> None:
    assert len(run(_python("print('x' * 1_000_000)"), tmp_path, 60).output) > 1_000_000


def test_after_a_failure_no_more_are_started(tmp_path: Path) -> None:
    commands = [_python("raise SystemExit(1)"), _python("open('started', 'w')")]
    finished = run_all(commands, tmp_path, 60, jobs=1)
    assert [f.status for f in finished] == [1]
    assert not (tmp_path / "started").exists()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no-such-compiler"):
        run(["no-such-compiler"], tmp_path, 60)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_time_out_ends_the_whole_family(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time, pathlib;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "pathlib.Path('child.tmp').write_text(str(child.pid)); pathlib.Path('child.tmp').rename('child');"
        "time.sleep(600)"
    )
    with pytest.raises(ToolError, match="took longer than 3 s"):
        run(_python(code), tmp_path, 3.0)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 30
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_running(child)
    assert child != os.getpid()
