# SPDX-License-Identifier: Apache-2.0
"""A child process ends with us, however we end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.devices.conftest import BuildProbe
from tests.support.places import CHECKOUT
from tinyserve.devices.process import ChildProcess
from tinyserve.errors import ToolError

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")

# Starts a device, says the emulator's pid, and then ends as its argument says.
VICTIM = """
import signal, sys, time
from pathlib import Path
from tinyserve import boards
from tinyserve.devices import open_device
from tests.devices.conftest import Probe

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
with open_device(Probe(Path(sys.argv[1])), boards.load("mps2-an385"), "qemu") as device:
    assert device.link.read_line(20) == "ready"
    watchdog = device._qemu._process._process.pid
    print(watchdog, Path(f"/proc/{watchdog}/task/{watchdog}/children").read_text(), flush=True)
    if sys.argv[2] == "raise":
        raise RuntimeError("as asked")
    if sys.argv[2] == "wait for an answer":
        device.link.write(b"h%")
        device.link.read_line(600)
    time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int]) -> list[int]:
    deadline = time.monotonic() + 20
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [pid for pid in pids if is_alive(pid)]


@pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="qemu-system-arm is not installed")
@pytest.mark.parametrize(
    ("end", "kill"),
    [
        ("raise", None),
        ("sleep", signal.SIGINT),
        ("wait for an answer", signal.SIGINT),
        ("sleep", signal.SIGTERM),
        ("sleep", signal.SIGKILL),
    ],
)
def test_no_emulator_outlives_its_user(
    build_probe: BuildProbe, end: str, kill: signal.Signals | None
) -> None:
    firmware, _ = build_probe("mps2-an385")
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(firmware.elf), end],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=CHECKOUT,
    )
    try:
        assert victim.stdout is not None
        pids = [int(pid) for pid in victim.stdout.readline().split()]
        assert len(pids) == 2
        if kill is not None:
            assert all(is_alive(pid) for pid in pids)
            victim.send_signal(kill)
        victim.wait(20)
        assert wait_until_gone(pids) == []
    finally:
        victim.kill()
        victim.wait()
        victim.stdout.close()


def test_close_ends_it_and_can_be_repeated() -> None:
    child = ChildProcess([shutil.which("sleep") or "sleep", "600"])
    assert child.exit_code is None
    child.close()
    assert child.exit_code is not None
    child.close()


def test_its_exit_status_and_words_are_kept() -> None:
    code = "import sys; print('no such machine', file=sys.stderr); sys.exit(3)"
    child = ChildProcess([sys.executable, "-c", code])
    assert child.wait(20) == 3
    assert child.words() == "no such machine"
    child.close()


def test_a_signal_shows_in_the_exit_status() -> None:
    child = ChildProcess([sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"])
    assert child.wait(20) == 128 + 11
    child.close()


def test_what_can_not_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="cannot start"):
        ChildProcess([str(tmp_path / "none")])


def test_a_file_that_can_not_be_run_says_why(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\x00\x01 no program")
    path.chmod(0o755)
    child = ChildProcess([str(path)])
    assert child.wait(20) == 1
    assert "Exec format error" in child.words()
    child.close()


def test_no_descriptors_leak() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        ChildProcess([sys.executable, "-c", ""], talks=True).close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
