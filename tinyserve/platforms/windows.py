# SPDX-License-Identifier: Apache-2.0
"""Windows: no fork, no pseudo-terminals, no signals but Ctrl-C and Ctrl-Break. Not run so far: its
branches are tested elsewhere, with a kernel32 that records what it is asked.

Constants are those of the Windows SDK's headers winbase.h and winerror.h.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import platform
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, ClassVar

from tinyserve.errors import UsageError
from tinyserve.platforms.base import Platform, Terminal

_LOCK_EXCLUSIVE, _LOCK_NOW = 2, 1  # LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY
_LOCKED = 33  # ERROR_LOCK_VIOLATION
_NEW_GROUP = 0x200  # CREATE_NEW_PROCESS_GROUP
_NO_WINDOW = 0x08000000  # CREATE_NO_WINDOW: no console pops up behind a program without one
_TASKKILL_TIMEOUT_S = 10
_IN_USE_S = 2.0
"""Virus scanners and indexers hold a new file for moments."""
_POLL_S = 0.02


class _Overlapped(ctypes.Structure):
    _fields_ = (
        ("internal", ctypes.c_void_p),
        ("internal_high", ctypes.c_void_p),
        ("offset", ctypes.c_uint32),
        ("offset_high", ctypes.c_uint32),
        ("event", ctypes.c_void_p),
    )


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("total_page_file", ctypes.c_uint64),
        ("available_page_file", ctypes.c_uint64),
        ("total_virtual", ctypes.c_uint64),
        ("available_virtual", ctypes.c_uint64),
        ("available_extended", ctypes.c_uint64),
    )


class Windows(Platform):
    """``kernel32`` and ``last_error`` stand for the system's library where there is none."""

    library_suffix = ".dll"
    example_port = "COM3"
    unlinks_open_files = False
    installs: ClassVar[Mapping[str, str]] = {
        "cc": "winget install LLVM.LLVM",
        "qemu-system-arm": "winget install SoftwareFreedomConservancy.QEMU",
        "qemu-system-riscv32": "winget install SoftwareFreedomConservancy.QEMU",
        "arm-none-eabi-gcc": "winget install Arm.GnuArmEmbeddedToolchain",
        "riscv64-unknown-elf-gcc": "unpack xPack's riscv-none-elf-gcc, and put its bin on the PATH",
        "valgrind": "there is none for Windows: profile on an emulated board",
    }
    compilers_lack_headers = True
    has_watchdog = False
    denies_open_ports = True

    def __init__(self, kernel32: Any = None, last_error: Any = None) -> None:
        self._kernel32 = kernel32
        self._last_error = last_error

    @property
    def kernel32(self) -> Any:
        if self._kernel32 is None:
            self._kernel32 = vars(ctypes)["WinDLL"]("kernel32", use_last_error=True)
            self._last_error = vars(ctypes)["get_last_error"]
        return self._kernel32

    def try_lock(self, file: IO[bytes], shared: bool) -> bool:
        """LockFileEx, since msvcrt.locking knows no shared locks."""
        handle = importlib.import_module("msvcrt").get_osfhandle(file.fileno())
        flags = _LOCK_NOW if shared else _LOCK_NOW | _LOCK_EXCLUSIVE
        place = ctypes.byref(_Overlapped())
        if self.kernel32.LockFileEx(ctypes.c_void_p(handle), flags, 0, 1, 0, place):
            return True
        error = self._last_error()
        if error != _LOCKED:
            raise OSError(error, f"LockFileEx failed with error {error}")
        return False

    def replace(self, source: Path, target: Path) -> None:
        """A file that is open can't be replaced there. One that runs can be renamed, and goes later."""
        deadline = time.monotonic() + _IN_USE_S
        while True:
            try:
                source.replace(target)
                return
            except PermissionError:
                if time.monotonic() >= deadline:
                    if not target.is_file():
                        raise
                    break
                time.sleep(_POLL_S)
        aside = target.with_name(f".{target.name[:32]}.{os.getpid()}.old")
        target.rename(aside)
        try:
            source.replace(target)
        except OSError:
            aside.rename(target)
            raise
        with suppress(OSError):
            aside.unlink()

    def folded(self, path: Path) -> str:
        return str(path).casefold()

    def apart(self) -> Mapping[str, Any]:
        return {"creationflags": _NEW_GROUP | _NO_WINDOW}

    def end_group(self, process: subprocess.Popen[bytes]) -> None:
        """taskkill ends the tree; the process itself is ended for sure."""
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(process.pid)],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=_TASKKILL_TIMEOUT_S, check=False,
            )  # fmt: skip
        process.kill()

    def ending_signals(self) -> list[signal.Signals]:
        """Ctrl-Break, which also comes when the console's window is closed."""
        ctrl_break = getattr(signal, "SIGBREAK", None)
        return [signal.SIGTERM] if ctrl_break is None else [signal.SIGTERM, ctrl_break]

    def signals_held(self) -> AbstractContextManager[None]:
        return nullcontext()

    def release_signals(self) -> None:
        """None are held."""

    def end_self_in_order(self) -> bool:
        """os.kill ends a process at once there, whatever its handlers are."""
        return False

    def open_terminal(self) -> Terminal:
        raise UsageError("Windows has no pseudo-terminals", "use --port with a virtual COM port pair")

    def cache_base(self) -> Path:
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")

    def private_name(self) -> str:
        """Temporary files are each user's own."""
        return "cache"

    def is_private(self, path: Path) -> bool:
        return not path.is_symlink()

    def words(self, command: str) -> list[str]:
        r"""A backslash is part of a path there: ``"C:\Program Files\LLVM\bin\clang.exe" -m64``."""
        if command.count('"') % 2:
            raise ValueError("No closing quotation")
        return [word.replace('"', "") for word in re.findall(r'(?:"[^"]*"|[^\s"])+', command)]

    def environment_python(self, environment: Path) -> Path:
        return environment / "Scripts" / "python.exe"

    def python_launcher(self) -> str | None:
        return shutil.which("py")

    def memory_bounded(self, most: int) -> AbstractContextManager[None]:
        """A process can't bound itself there without ending what it started."""
        return nullcontext()

    def processors(self) -> int:
        return os.cpu_count() or 1

    def processor(self) -> str:
        """The environment's PROCESSOR_IDENTIFIER (family, model, stepping), as Python reads it."""
        return platform.machine() + platform.processor()

    def available_bytes(self) -> int | None:
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        if not self.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
            return None
        return int(min(status.available_page_file, status.available_virtual))

    def port_error(self, port: str) -> OSError | None:
        """Only a name that can be no port: COM ports are not files."""
        if re.fullmatch(r"(\\\\\.\\)?COM[1-9][0-9]{0,2}", port, re.IGNORECASE):
            return None
        number = errno.ENOTTY if os.path.exists(port) else errno.ENOENT  # noqa: PTH110 - whatever the name holds
        return OSError(number, os.strerror(number), port)
