# SPDX-License-Identifier: Apache-2.0
"""How much flash and RAM each part of a firmware takes, read off the ELF's sections (templates: link.ld)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from tinyserve.boards.fit import Demand, copied_bytes
from tinyserve.boards.memories import DEFAULT_FLASH
from tinyserve.boards.types import Board

PLACED_ARENA, PLACED_WEIGHTS = ".arena.", ".weights."
"""What sections in further memories begin with, in link.ld; the memory's name follows."""


@dataclass(frozen=True)
class Sizes:
    """Bytes by part. Initialised data lies in both memories.

    ``model_bytes`` is kernels, generated code and parameter tables; ``runtime_bytes`` the arithmetic that the
    core lacks; ``arena_bytes`` all of the model's own RAM; ``other_*`` protocol buffers and the rest;
    ``copied_bytes`` what the board itself, unlike its twin, copies from flash to RAM at start.
    ``kept_bytes`` of the weights stay in flash even where the others are copied. ``elsewhere``: arena and
    constants in further memories, by name, which are no part of ``arena_bytes`` and ``weights_bytes``.
    """

    weights_bytes: int
    model_bytes: int
    runtime_bytes: int
    firmware_bytes: int
    startup_bytes: int
    data_bytes: int
    other_flash_bytes: int
    arena_bytes: int
    stack_bytes: int
    other_ram_bytes: int
    copied_bytes: int = 0
    kept_bytes: int = 0
    elsewhere: tuple[tuple[str, int], ...] = ()

    @property
    def flash_bytes(self) -> int:
        return (
            self.weights_bytes
            + self.model_bytes
            + self.runtime_bytes
            + self.firmware_bytes
            + self.startup_bytes
            + self.data_bytes
            + self.other_flash_bytes
        )

    @property
    def ram_bytes(self) -> int:
        own = self.arena_bytes + self.stack_bytes + self.data_bytes + self.other_ram_bytes
        return own + self.copied_bytes

    def on(self, board: Board) -> Sizes:
        """With what the board copies."""
        code = self.flash_bytes - self.weights_bytes - self.data_bytes
        return replace(self, copied_bytes=copied_bytes(code, self.weights_bytes - self.kept_bytes, board))


def of_sizes(sizes: Sizes) -> Demand:
    """The demand of a firmware that was built."""
    return Demand(
        sizes.flash_bytes,
        sizes.ram_bytes - sizes.copied_bytes,
        sizes.weights_bytes,
        kept_bytes=sizes.kept_bytes,
        elsewhere=sizes.elsewhere,
    )


def read_sizes(elf: Path) -> Sizes:
    """The sizes of a firmware that was linked with our linker script."""
    with elf.open("rb") as file:
        size = _section_sizes(file)
    kept = size.get(f"{PLACED_WEIGHTS}{DEFAULT_FLASH}", 0)
    elsewhere = Counter[str]()
    for name, nbytes in size.items():
        for begin in (PLACED_ARENA, PLACED_WEIGHTS):
            if name.startswith(begin) and name != f"{PLACED_WEIGHTS}{DEFAULT_FLASH}":
                elsewhere[name.removeprefix(begin)] += nbytes
    return Sizes(
        weights_bytes=size.get(".weights", 0) + kept,
        model_bytes=size.get(".model", 0),
        runtime_bytes=size.get(".runtime", 0),
        firmware_bytes=size.get(".firmware", 0),
        startup_bytes=size.get(".vectors", 0) + size.get(".startup", 0),
        data_bytes=size.get(".data", 0),
        other_flash_bytes=size.get(".other", 0),
        arena_bytes=size.get(".arena", 0),
        stack_bytes=size.get(".stack", 0),
        other_ram_bytes=size.get(".bss", 0),
        kept_bytes=kept,
        elsewhere=tuple(elsewhere.items()),
    )


def read_host_sizes(elf: Path) -> Sizes | None:
    """A program of the computer: no parts, its sections as they are; None where it is no ELF file (macOS)."""
    with elf.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
        size = _section_sizes(file)
    return Sizes(
        weights_bytes=size.get(".rodata", 0),
        model_bytes=size.get(".text", 0),
        runtime_bytes=0,
        firmware_bytes=0,
        startup_bytes=0,
        data_bytes=size.get(".data", 0),
        other_flash_bytes=0,
        arena_bytes=size.get(".bss", 0),
        stack_bytes=0,
        other_ram_bytes=0,
    )


def _section_sizes(elf: BinaryIO) -> dict[str, int]:
    from elftools.elf.elffile import ELFFile  # an extra: a plain install compiles without it

    return {section.name: int(section["sh_size"]) for section in ELFFile(elf).iter_sections()}
