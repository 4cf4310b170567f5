# SPDX-License-Identifier: Apache-2.0
"""Linux and macOS: what Linux can show of both."""

from __future__ import annotations

import errno
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tinyserve.platforms import posix
from tinyserve.platforms.darwin import Darwin
from tinyserve.platforms.posix import Posix

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX")
BOTH = pytest.mark.parametrize("system", [Posix(), Darwin()], ids=["posix", "darwin"])


@BOTH
def test_a_lock_is_one_file_s_or_is_shared(system: Posix, tmp_path: Path) -> None:
    with (tmp_path / "l").open("ab") as one, (tmp_path / "l").open("ab") as two:
        assert system.try_lock(one, shared=False)
        assert not system.try_lock(two, shared=False)
        assert not system.try_lock(two, shared=True)
    with (tmp_path / "l").open("ab") as one, (tmp_path / "l").open("ab") as two:
        assert system.try_lock(one, shared=True)
        assert system.try_lock(two, shared=True)
        assert not system.try_lock(two, shared=False)


@BOTH
def test_a_group_ends_with_all_that_it_started(system: Posix, tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, **system.apart()
    )
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    system.end_group(process)
    assert process.wait(10) == -signal.SIGKILL
    process.stdout.close()
    deadline = time.monotonic() + 10
    while _runs(grandchild) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(grandchild)


def _runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@BOTH
def test_a_terminal_carries_bytes_as_they_are(system: Posix) -> None:
    terminal = system.open_terminal()
    try:
        with open(terminal.name, "rb+", buffering=0) as program:  # noqa: PTH123 - as any program opens a port
            program.write(b"name%\n\x03")
            assert os.read(terminal.ours, 100) == b"name%\n\x03"
        with pytest.raises(BlockingIOError):
            os.read(terminal.ours, 100)
    finally:
        os.close(terminal.ours)
        os.close(terminal.theirs)


@pytest.mark.parametrize("threads", [0, 1])
def test_signals_wait_until_a_block_ends(threads: int) -> None:
    """Also where a thread of a library would take them, as those of numpy's do."""
    got: list[int] = []
    over = threading.Event()
    others = [threading.Thread(target=over.wait) for _ in range(threads)]
    for other in others:
        other.start()
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    try:
        with Posix().signals_held():
            assert Posix().end_self_in_order()
            time.sleep(0.05)
            assert got == []
        time.sleep(0.05)
        assert got == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
        over.set()
        for other in others:
            other.join()


def test_a_child_holds_them_until_it_releases_them() -> None:
    program = (
        "import signal\nfrom tinyserve.platforms.posix import Posix\n"
        "held = lambda: sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []) & {2, 15})\n"
        "print(list(map(int, held()))); Posix().release_signals(); print(list(map(int, held())))"
    )
    with Posix().signals_held():
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
        )
    assert done.stdout == "[2, 15]\n[]\n"


def test_a_hangup_ends_a_command_but_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        assert Posix().ending_signals() == [signal.SIGTERM, signal.SIGHUP]
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        assert Posix().ending_signals() == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Posix().cache_base() == tmp_path / ".cache"
    assert Darwin().cache_base() == tmp_path / "Library/Caches"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert Posix().cache_base() == Path("/elsewhere")
    assert Posix().environment_python(tmp_path) == tmp_path / "bin/python"


def test_a_directory_that_others_may_enter_is_not_private(tmp_path: Path) -> None:
    place = tmp_path / "p"
    place.mkdir(mode=0o700)
    assert Posix().is_private(place)
    (tmp_path / "link").symlink_to(place)
    assert not Posix().is_private(tmp_path / "link")
    place.chmod(0o755)
    assert not Posix().is_private(place)


@BOTH
def test_memory_is_known_and_bounded(system: Posix) -> None:
    found = system.available_bytes()
    assert found is not None and 1 << 20 < found < 1 << 50


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_memory_keeps_within_a_limit() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, -1))\n"
        "from tinyserve.platforms.posix import Posix; print(Posix().available_bytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert 0 < int(done.stdout) < 1 << 30


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_bound_of_memory_ends_with_its_block() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with Posix().memory_bounded(1 << 28), pytest.raises(MemoryError):
        bytearray(1 << 31)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_where_no_size_is_told_memory_has_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posix, "_process_pages", lambda: None)
    with Darwin().memory_bounded(1):
        bytearray(1 << 20)


@BOTH
def test_what_was_built_for_one_processor_is_not_taken_for_another(system: Posix) -> None:
    assert platform.machine() in system.kind()
    assert platform.machine() in system.processor()
    assert 1 <= system.processors() <= (os.cpu_count() or 1)
    assert system.python_launcher() is None


@BOTH
def test_a_port_is_a_terminal_and_nothing_else(system: Posix, tmp_path: Path) -> None:
    (tmp_path / "firmware.bin").touch()
    ours, theirs = os.openpty()
    try:
        assert system.port_error(os.ttyname(theirs)) is None
    finally:
        os.close(ours)
        os.close(theirs)
    for what, number in (
        (tmp_path / "ttyACM1", errno.ENOENT),
        (tmp_path / "firmware.bin", errno.ENOTTY),
        (tmp_path, errno.ENOTTY),
        (f"{tmp_path}/a\0b", errno.ENOENT),
    ):
        error = system.port_error(str(what))
        assert error is not None and error.errno == number, what
    assert system.example_port.startswith("/dev/")


@pytest.mark.skipif(not Path("/sys/dev/char/1:3/subsystem").exists(), reason="needs /sys")
def test_a_device_that_is_no_terminal_is_no_port() -> None:
    error = Posix().port_error("/dev/null")
    assert error is not None and error.errno == errno.ENOTTY
