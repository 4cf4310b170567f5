# SPDX-License-Identifier: Apache-2.0
"""macOS: POSIX with other places and another linker. Not run so far: its branches are tested elsewhere."""

from __future__ import annotations

import ctypes
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tinyserve.platforms.posix import Posix


class Darwin(Posix):
    """Serial ports are opened by their call-out names (cu.*): the tty.* ones wait for a carrier."""

    late_binding = ("-undefined", "dynamic_lookup")
    drops_unused = ("-Wl,-dead_strip",)
    example_port = "/dev/cu.usbmodem1101"
    installs: ClassVar[Mapping[str, str]] = {
        "cc": "xcode-select --install",
        "qemu-system-arm": "brew install qemu",
        "qemu-system-riscv32": "brew install qemu",
        "arm-none-eabi-gcc": "brew install --cask gcc-arm-embedded",
        "riscv64-unknown-elf-gcc": "brew install riscv64-elf-gcc",
        "valgrind": "there is none for macOS: profile on an emulated board",
    }
    has_udev: ClassVar[bool] = False
    accelerator_wheels: ClassVar[bool] = False

    def exchange(self, one: Path, other: Path) -> bool:
        swap = ctypes.c_uint(2)  # RENAME_SWAP, of APFS
        try:
            call = ctypes.CDLL(None).renamex_np
        except (AttributeError, OSError):
            return False
        first, second = ctypes.c_char_p(os.fsencode(one)), ctypes.c_char_p(os.fsencode(other))
        return bool(call(first, second, swap) == 0)

    def folded(self, path: Path) -> str:
        """Volumes take no heed of case unless they were made so, and know one form of each accent."""
        return unicodedata.normalize("NFC", str(path)).casefold()

    def cache_base(self) -> Path:
        return Path.home() / "Library" / "Caches"

    def _system_bytes(self) -> int | None:
        """The machine's memory: what is free of it no call without a subprocess tells."""
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return None
