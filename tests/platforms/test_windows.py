# SPDX-License-Identifier: Apache-2.0
"""The branches for Windows, with a kernel32 that records what it is asked."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinyserve import cache, locks, platforms
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.platforms import windows
from tinyserve.platforms.windows import Windows


class Kernel32:
    """Holds one lock per handle: exclusive ones exclude all, shared ones exclusive ones."""

    def __init__(self) -> None:
        self.error = 0
        self.fails_with = 0
        self.holders: dict[int, bool] = {}

    def LockFileEx(self, handle: Any, flags: int, *place: Any) -> int:
        assert place[:3] == (0, 1, 0), "one byte, at the place that the structure names"
        assert flags & windows._LOCK_NOW, "a wait in the system can't be interrupted by Ctrl-C"
        exclusive = bool(flags & windows._LOCK_EXCLUSIVE)
        others = [kind for other, kind in self.holders.items() if other != handle.value]
        self.error = self.fails_with or (windows._LOCKED if any(others) or (exclusive and others) else 0)
        if self.error:
            return 0
        self.holders[handle.value] = exclusive
        return 1

    def GlobalMemoryStatusEx(self, place: Any) -> int:
        status = place._obj
        assert status.length == 64  # sizeof(MEMORYSTATUSEX)
        status.available_page_file, status.available_virtual = 5 << 30, 128 << 40
        return 1


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel32:
    msvcrt = SimpleNamespace(get_osfhandle=lambda descriptor: descriptor)
    monkeypatch.setitem(sys.modules, "msvcrt", msvcrt)  # type: ignore[arg-type]
    return Kernel32()


@pytest.fixture
def system(kernel: Kernel32) -> Windows:
    return Windows(kernel, lambda: kernel.error)


def test_locks_are_alone_or_shared(system: Windows, kernel: Kernel32, tmp_path: Path) -> None:
    with (tmp_path / "l").open("ab") as one, (tmp_path / "l").open("ab") as two:
        assert system.try_lock(one, shared=False)
        assert not system.try_lock(two, shared=False)
        assert not system.try_lock(two, shared=True)
        kernel.holders.clear()
        assert system.try_lock(one, shared=True)
        assert system.try_lock(two, shared=True)
        assert not system.try_lock(two, shared=False)
        kernel.fails_with = 50  # ERROR_NOT_SUPPORTED
        with pytest.raises(OSError, match="50"):
            system.try_lock(two, shared=True)


def test_places_are_held_with_them(
    system: Windows, kernel: Kernel32, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(locks.platforms, "here", lambda: system)
    with locks.alone(tmp_path / "place"):
        assert list(kernel.holders.values()) == [True]
    kernel.holders[-1] = True  # another process
    with pytest.raises(FileSystemError, match="another tinyserve"), locks.alone(tmp_path / "p", wait_s=0):
        pass
    kernel.fails_with = 50
    with locks.alone(tmp_path / "p"):
        """A file system without locks holds nothing."""


def test_the_structure_of_a_place_is_the_system_s() -> None:
    assert ctypes.sizeof(windows._Overlapped) == 32  # OVERLAPPED on 64 bits
    assert windows._Overlapped.offset.offset == 16


def test_groups_are_ended_by_taskkill_and_for_sure(system: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    process = SimpleNamespace(pid=4711, kill=lambda: asked.append(["kill"]))
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command))
    system.end_group(process)  # type: ignore[arg-type]
    assert asked == [["taskkill", "/F", "/T", "/PID", "4711"], ["kill"]]

    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    system.end_group(process)  # type: ignore[arg-type]
    assert asked[-1] == ["kill"]
    assert system.apart()["creationflags"] & 0x200


def test_signals_are_those_that_there_are(system: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGHUP", raising=False)
    monkeypatch.delattr(signal, "pthread_sigmask", raising=False)
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGTERM, raising=False)
    assert system.ending_signals() == [signal.SIGTERM, signal.SIGTERM]
    with system.signals_held():
        system.release_signals()
    assert not system.end_self_in_order()


def test_there_are_no_terminals(system: Windows) -> None:
    with pytest.raises(UsageError, match="pseudo-terminals"):
        system.open_terminal()


def test_places(system: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.platforms, "here", lambda: system)
    monkeypatch.delenv("TINYSERVE_CACHE", raising=False)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache.cache_directory() == tmp_path / "tinyserve"
    monkeypatch.delenv("LOCALAPPDATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert system.cache_base() == tmp_path / "AppData" / "Local"
    assert system.environment_python(tmp_path) == tmp_path / "Scripts" / "python.exe"


def test_pythons_are_started_by_the_launcher(
    system: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert system.python_launcher() is None
    launcher = tmp_path / "py"
    launcher.write_text("#!/bin/sh\necho '3 9 ready'\n")
    launcher.chmod(0o755)
    assert system.python_launcher() == str(launcher)


def test_nothing_is_known_of_limits_that_are_not_there(system: Windows) -> None:
    with system.memory_bounded(1):
        bytearray(1 << 20)
    assert system.processors() >= 1
    assert system.processor() and system.kind()


def test_memory_is_what_the_page_file_leaves(system: Windows) -> None:
    assert system.available_bytes() == 5 << 30


@pytest.mark.parametrize(
    ("port", "number"),
    [
        ("COM3", None), ("com12", None), (r"\\.\COM256", None),
        ("/dev/ttyACM0-gone", errno.ENOENT), ("COM0", errno.ENOENT), ("COM", errno.ENOENT),
        ("\0", errno.ENOENT), (__file__, errno.ENOTTY),
    ],
)  # fmt: skip
def test_ports_are_names_of_their_own_kind(system: Windows, port: str, number: int | None) -> None:
    error = system.port_error(port)
    assert (error and error.errno) == number


def test_the_library_of_the_system_is_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, kernel: Kernel32
) -> None:
    loaded: list[tuple[str, bool]] = []

    def load(name: str, use_last_error: bool) -> Kernel32:
        loaded.append((name, use_last_error))
        return kernel

    monkeypatch.setattr(ctypes, "WinDLL", load, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: kernel.error, raising=False)
    assert Windows().available_bytes() == 5 << 30
    assert loaded == [("kernel32", True)]


def test_a_file_that_is_held_for_a_moment_is_replaced_after_it(
    system: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, target = tmp_path / "new", tmp_path / "target"
    made.write_text("new")
    target.write_text("old")
    whole = Path.replace
    refusals = iter([True, True])

    def replace(source: Path, to: Path) -> Path:
        if next(refusals, False):
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return whole(source, to)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(windows, "_POLL_S", 0.001)
    system.replace(made, target)
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_program_that_runs_makes_way(
    system: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file can be renamed and not replaced, nor removed while it runs."""
    made, target = tmp_path / "new", tmp_path / "target.exe"
    made.write_text("new")
    target.write_text("runs")
    whole = Path.replace

    def replace(source: Path, to: Path) -> Path:
        if to.exists():
            raise PermissionError(errno.EACCES, "Access is denied")
        return whole(source, to)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)
    monkeypatch.setattr(windows, "_IN_USE_S", 0.0)
    system.replace(made, target)
    assert target.read_text() == "new"
    assert [path.read_text() for path in tmp_path.glob("*.old")] == ["runs"]


def test_what_can_not_be_replaced_stays(
    system: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened without leave to rename, as Python opens files; in the cache it is the same as the new one."""
    made, target = tmp_path / "new", tmp_path / "target"
    made.write_text("same")
    target.write_text("same")

    def refuse(source: Path, to: Path) -> Path:
        raise PermissionError(errno.EACCES, "The process cannot access the file")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(windows, "_IN_USE_S", 0.0)
    with pytest.raises(PermissionError):
        system.replace(made, target)
    monkeypatch.setattr(cache.platforms, "here", lambda: system)
    cache.put(made, target)
    with pytest.raises(PermissionError):
        cache.put(made, tmp_path / "other")


def test_the_cache_loses_others_where_one_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (tmp_path / str(number)).touch()
        os.utime(tmp_path / str(number), (number, number))
    whole = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == "0":
            raise PermissionError(errno.EACCES, "in use")
        whole(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    cache.keep_newest(tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "3"]


@pytest.mark.parametrize("name", ["win32", "darwin"])
def test_two_names_of_one_place_have_one_lock(name: str) -> None:
    system = platforms.named(name)
    assert system.folded(Path("Build/Kws")) == system.folded(Path("build/kws"))
    assert platforms.named("linux").folded(Path("A")) != platforms.named("linux").folded(Path("a"))
    if name == "darwin":
        assert system.folded(Path("caf\u00e9")) == system.folded(Path("cafe\u0301"))


def test_backslashes_of_a_command_are_kept(system: Windows) -> None:
    said = r'"C:\Program Files\LLVM\bin\clang.exe" -m64 -I"C:\a b"'
    assert system.words(said) == [r"C:\Program Files\LLVM\bin\clang.exe", "-m64", r"-IC:\a b"]
    with pytest.raises(ValueError, match="quotation"):
        system.words('"C:\\a b')
