# SPDX-License-Identifier: Apache-2.0
"""What tinyserve asks of an operating system."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar


@dataclass(frozen=True)
class Terminal:
    """A pseudo-terminal: our end as a descriptor that does not block, the other end kept open, its name."""

    ours: int
    theirs: int
    name: str


class Platform(ABC):
    """One system. Plain facts are class attributes; what has to be done is a method."""

    library_suffix: ClassVar[str]
    """Of shared libraries that we build, with its dot."""
    late_binding: ClassVar[tuple[str, ...]] = ()
    """Compiler flags for a library whose symbols the program that loads it has."""
    drops_unused: ClassVar[tuple[str, ...]] = ("-Wl,--gc-sections",)
    """Compiler flags for a program of this computer without the functions that nothing calls."""
    compilers_lack_headers: ClassVar[bool] = False
    """Whether the C compilers that one finds come without a C library (clang on Windows looks for Visual
    Studio's), so that zig, which brings one, is asked first."""
    example_port: ClassVar[str]
    """What a serial port is called, for messages."""
    unlinks_open_files: ClassVar[bool]
    """Whether a file that is in use may be removed, and goes when it is closed."""
    has_watchdog: ClassVar[bool]
    """Whether ``watchdog.py`` runs: it inherits a descriptor by number and spawns."""
    denies_open_ports: ClassVar[bool] = False
    """Whether "access denied" means that another program has a serial port open, and never a permission."""
    has_udev: ClassVar[bool] = False
    """Whether rules of udev decide who may open a port."""
    accelerator_wheels: ClassVar[bool] = False
    """Whether packages of PyPI come with gigabytes for graphics cards."""

    installs: ClassVar[Mapping[str, str]]
    """The commands that install the programs ``cc``, ``qemu-system-arm``, ``qemu-system-riscv32``,
    ``arm-none-eabi-gcc``, ``riscv64-unknown-elf-gcc`` and ``valgrind``, or what to do where the system has
    no such package."""

    @abstractmethod
    def try_lock(self, file: IO[bytes], shared: bool) -> bool:
        """Locks an open file, alone or with others that share it; False where others hold it. The system
        frees it with the file's end. Raises OSError where the file system knows no locks."""

    @abstractmethod
    def replace(self, source: Path, target: Path) -> None:
        """Puts a file in the place of another, or a file or directory where nothing is, in one step. Raises
        OSError; PermissionError where another process keeps the system from it."""

    def exchange(self, one: Path, other: Path) -> bool:
        """Two directories or files of one file system change places in one step; whether they did. What the
        system has no call for stays as it is."""
        return False

    def keep_names(self, directory: Path) -> None:  # noqa: B027 (where the system does so by itself)
        """What was renamed in a directory is on the disk when it returns, where its file system can do so."""

    @abstractmethod
    def folded(self, path: Path) -> str:
        """A path such that two names of one place are the same, where the system takes no heed of case."""

    @abstractmethod
    def apart(self) -> Mapping[str, Any]:
        """Keywords of ``subprocess.Popen`` for a program in a group of its own, which a Ctrl-C in the
        terminal does not reach."""

    @abstractmethod
    def end_group(self, process: subprocess.Popen[bytes]) -> None:
        """Ends, at once, a process that was started apart and all that it started. Raises OSError where it is
        gone."""

    @abstractmethod
    def ending_signals(self) -> list[signal.Signals]:
        """The signals, beside Ctrl-C's, that end a command in order."""

    @abstractmethod
    def signals_held(self) -> AbstractContextManager[None]:
        """Ctrl-C and SIGTERM wait until the block's end; processes that are started in it inherit that."""

    @abstractmethod
    def release_signals(self) -> None:
        """Ends in a child what ``signals_held`` began in its parent."""

    @abstractmethod
    def end_self_in_order(self) -> bool:
        """Sends this process SIGTERM; False where that would end it without unwinding."""

    @abstractmethod
    def open_terminal(self) -> Terminal:
        """A new pseudo-terminal, raw. Raises UsageError where there are none."""

    @abstractmethod
    def cache_base(self) -> Path:
        """The directory of caches of the user. Raises RuntimeError where the user has no home."""

    @abstractmethod
    def private_name(self) -> str:
        """A name for a directory of the user's own among the temporary files of all."""

    @abstractmethod
    def is_private(self, path: Path) -> bool:
        """Whether a directory, not a link, is this user's, and nobody else gets in. Raises OSError."""

    @abstractmethod
    def words(self, command: str) -> list[str]:
        """The words of a command line, as the system's shell has them. Raises ValueError for an open
        quotation."""

    @abstractmethod
    def environment_python(self, environment: Path) -> Path:
        """The interpreter of a virtual environment."""

    @abstractmethod
    def python_launcher(self) -> str | None:
        """The program that starts an installed Python by its version (``py -3.12``), where there is one."""

    @abstractmethod
    def processors(self) -> int:
        """How many this process may use."""

    @abstractmethod
    def processor(self) -> str:
        """What the processor is and can do, as part of a cache's key: the fastest code for one may not run on
        another."""

    @abstractmethod
    def available_bytes(self) -> int | None:
        """Memory that a process may still take, within its limits; None where nobody tells."""

    @abstractmethod
    def memory_bounded(self, most: int) -> AbstractContextManager[None]:
        """Allocations fail beyond ``most`` bytes more than this process has when it enters. Where the system
        has no such limit nothing is done."""

    def kind(self) -> str:
        """The system's name and processor, as part of a cache's key: what was built for one does not run on
        another."""
        return f"{sys.platform} {platform.machine()}"

    @abstractmethod
    def port_error(self, port: str) -> OSError | None:
        """What opening a serial port of that name would certainly raise, found without opening it, which may
        reset a board: ENOENT where there is none, ENOTTY where it is something else. None where nothing is
        known against it."""
