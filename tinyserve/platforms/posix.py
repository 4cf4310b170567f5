# SPDX-License-Identifier: Apache-2.0
"""Linux, and what is like it."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shlex
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, ClassVar

from tinyserve.platforms.base import Platform, Terminal

_HERE = -100
"""AT_FDCWD: paths are from the current directory."""
_EXCHANGE = 2
"""RENAME_EXCHANGE"""
_HELD = (signal.SIGINT, signal.SIGTERM)


class Posix(Platform):
    """Linux, the BSDs and their like."""

    library_suffix = ".so"
    example_port = "/dev/ttyACM0"
    unlinks_open_files = True
    installs: ClassVar[Mapping[str, str]] = {
        "cc": "apt install gcc",
        "qemu-system-arm": "apt install qemu-system-arm",
        "qemu-system-riscv32": "apt install qemu-system-misc",
        "arm-none-eabi-gcc": "apt install gcc-arm-none-eabi",
        "riscv64-unknown-elf-gcc": "apt install gcc-riscv64-unknown-elf",
        "valgrind": "apt install valgrind",
    }
    has_watchdog = True
    has_udev: ClassVar[bool] = sys.platform == "linux"
    accelerator_wheels: ClassVar[bool] = sys.platform == "linux"

    def try_lock(self, file: IO[bytes], shared: bool) -> bool:
        import fcntl

        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def keep_names(self, directory: Path) -> None:
        with suppress(OSError):
            descriptor = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def exchange(self, one: Path, other: Path) -> bool:
        try:
            call = ctypes.CDLL(None).renameat2  # glibc 2.28, musl 1.2.4
        except (AttributeError, OSError):
            return False
        here = ctypes.c_int(_HERE)
        first, second = ctypes.c_char_p(os.fsencode(one)), ctypes.c_char_p(os.fsencode(other))
        return bool(call(here, first, here, second, ctypes.c_uint(_EXCHANGE)) == 0)

    def folded(self, path: Path) -> str:
        return str(path)

    def apart(self) -> Mapping[str, Any]:
        return {"start_new_session": True}

    def end_group(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)

    def ending_signals(self) -> list[signal.Signals]:
        """SIGHUP where it is not ignored (as nohup does): a terminal that is closed ends what ran in it."""
        ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]

    @contextmanager
    def signals_held(self) -> Iterator[None]:
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # would let them through when it is started later
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        try:
            with _handlers_held():
                yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def release_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)

    def end_self_in_order(self) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    def open_terminal(self) -> Terminal:
        import tty

        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        return Terminal(ours, theirs, os.ttyname(theirs))

    def cache_base(self) -> Path:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")

    def private_name(self) -> str:
        return str(os.getuid())

    def is_private(self, path: Path) -> bool:
        found = path.lstat()
        return found.st_uid == os.getuid() and not found.st_mode & 0o077

    def words(self, command: str) -> list[str]:
        return shlex.split(command)

    def environment_python(self, environment: Path) -> Path:
        return environment / "bin" / "python"

    def python_launcher(self) -> str | None:
        """They are on the PATH by their versions' names."""
        return None

    @contextmanager
    def memory_bounded(self, most: int) -> Iterator[None]:
        pages = _process_pages()
        if pages is None:
            yield
            return
        import resource

        now = pages * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        ceilings = [limit for limit in (*before, now + most) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min(ceilings), before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

    def processors(self) -> int:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def processor(self) -> str:
        said = {
            line for line in _lines("/proc/cpuinfo") if line.startswith(("flags", "Features", "model name"))
        }
        return "".join((platform.machine(), platform.processor(), *sorted(said)))

    def available_bytes(self) -> int | None:
        found = [value for value in (self._system_bytes(), _limit_bytes()) if value is not None]
        return min(found, default=None)

    def _system_bytes(self) -> int | None:
        for line in _lines("/proc/meminfo"):
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return None

    def port_error(self, port: str) -> OSError | None:
        """Linux tells of a device what it is; elsewhere, and of a pseudo-terminal, only that it is one."""
        try:
            found = Path(port).stat()
        except (OSError, ValueError):
            return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), port)
        if stat.S_ISCHR(found.st_mode):
            numbers = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
            subsystem = Path("/sys/dev/char", numbers, "subsystem")
            if not subsystem.exists() or subsystem.resolve().name == "tty":
                return None
        return OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), port)


@contextmanager
def _handlers_held() -> Iterator[None]:
    """A signal that another thread takes, of a library that keeps its own and masks nothing (numpy's), makes
    Python run the handler in the main thread all the same: it is noted, and sent again at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _HELD}
    held = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in held:
        signal.signal(number, lambda number, frame: noted.append(number))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for again in dict.fromkeys(noted):
            signal.raise_signal(again)


def _limit_bytes() -> int | None:
    """What ``ulimit -v`` leaves."""
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    return max(0, limit - (_process_pages() or 0) * resource.getpagesize())


def _process_pages() -> int | None:
    """Of this process's address space; None where the system does not tell (macOS)."""
    return next((int(line.split()[0]) for line in _lines("/proc/self/statm")), None)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
