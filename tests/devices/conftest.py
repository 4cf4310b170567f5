# SPDX-License-Identifier: Apache-2.0
"""Builds the probe firmware for a board, once per test session."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tinyserve import boards
from tinyserve.boards.types import Board

PROBE = Path(__file__).parent / "firmware" / "probe.c"

LINKER_SCRIPT = """
MEMORY {{
    FLASH (rx) : ORIGIN = {flash:#x}, LENGTH = 64K
    RAM (rwx) : ORIGIN = {ram:#x}, LENGTH = 64K
}}
PHDRS {{ text PT_LOAD FLAGS(5); data PT_LOAD FLAGS(6); }}
SECTIONS {{
    .text : {{ KEEP(*(.vectors)) *(.text*) *(.rodata* .srodata*) }} > FLASH :text
    .stack (NOLOAD) : {{ __stack_bottom = .; . += 0x2000; __stack_top = .; }} > RAM :data
    .bss (NOLOAD) : {{ *(.data*) *(.sdata*) *(.bss*) *(.sbss*) }} > RAM :data
    /DISCARD/ : {{ *(.ARM.exidx*) }}
}}
"""


@dataclass(frozen=True)
class Probe:
    """What open_device wants of a firmware: where its ELF is."""

    elf: Path


BuildProbe = Callable[[str], tuple[Probe, Board]]


@pytest.fixture(scope="session")
def build_probe(tmp_path_factory: pytest.TempPathFactory) -> BuildProbe:
    """``build_probe("cortex-m4")`` gives the probe's firmware and its board."""

    lock = threading.Lock()

    @cache
    def build_once(name: str) -> tuple[Probe, Board]:
        board = boards.load(name)
        directory = tmp_path_factory.mktemp(f"probe-{name}")
        script = directory / "probe.ld"
        assert board.flash and board.ram
        script.write_text(LINKER_SCRIPT.format(flash=board.flash.origin, ram=board.ram.origin))
        elf = directory / "probe.elf"
        subprocess.run(
            [
                sys.executable, "-m", "ziglang", "cc", "-target", board.core.zig_target,
                f"-mcpu={board.core.zig_cpu}", "-std=c11", "-ffreestanding", "-O1", "-g", "-nostdlib",
                "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables",
                "-T", str(script), "-Wl,--entry=Reset_Handler", str(PROBE), "-o", str(elf),
            ],
            check=True, timeout=120,
        )  # fmt: skip
        return Probe(elf), board

    def build(name: str) -> tuple[Probe, Board]:
        with lock:
            return build_once(name)

    return build
