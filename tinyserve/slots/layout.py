# SPDX-License-Identifier: Apache-2.0
"""Where firmware, journal and slots lie in a board's flash. It follows from the board alone: whoever signs an
image for a board and whoever built its firmware agree."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.boards.types import Board, Region
from tinyserve.errors import FitError, UsageError

SLOT_COUNT = 2
SECTOR_BYTES = 4096
"""What one erase takes, where the board does not say."""
UNIT_BYTES = 4
"""What is programmed at once, where the board does not say."""
FIRMWARE_BYTES = 64 * 1024
"""Flash that the firmware keeps for itself, where the board does not say: a twin's needs half of it."""
MOST_SLOT_BYTES = 512 * 1024
STACK_BYTES = 8192
MODEL_STACK_BYTES = 6144
"""What of the firmware's stack an inference may take: verifying takes 2,000 bytes, the way to a model 600."""
_JOURNAL_SECTORS = 2
_LEAST_SLOT_BYTES = 16 * 1024


@dataclass(frozen=True)
class Layout:
    """Firmware first, then the journal's two sectors, then two slots of one size. All begin at sectors."""

    firmware: Region
    journal: tuple[int, int]
    slots: tuple[int, int]
    slot_bytes: int
    sector_bytes: int = SECTOR_BYTES
    unit_bytes: int = UNIT_BYTES

    @property
    def first(self) -> int:
        """Address of the first byte that an update may write."""
        return self.journal[0]

    @property
    def end(self) -> int:
        """Address behind the last one."""
        return self.slots[-1] + self.slot_bytes


def layout_of(board: Board) -> Layout:
    """The layout of a board's flash. Raises UsageError for a board without flash, FitError for too little."""
    flash = board.flash
    if flash is None or board.core.port not in ("cortex_m", "riscv"):
        raise UsageError(f"{board.id}: no flash that could hold slots", "name a microcontroller: cortex-m4")
    own = board.slots
    sector = own.sector_bytes if own else SECTOR_BYTES
    firmware_bytes = own.firmware_bytes if own else FIRMWARE_BYTES
    journal = _up(flash.origin + firmware_bytes, sector)
    first = journal + _JOURNAL_SECTORS * sector
    left = flash.origin + flash.bytes - first
    slot_bytes = min(left // SLOT_COUNT // sector * sector, MOST_SLOT_BYTES)
    if slot_bytes < _LEAST_SLOT_BYTES:
        least = firmware_bytes + _JOURNAL_SECTORS * sector + SLOT_COUNT * _up(_LEAST_SLOT_BYTES, sector)
        raise FitError(
            f"{board.id}: {flash.bytes:,} bytes of flash are too few for firmware and two slots",
            f"take a board with at least {least:,} bytes of flash",
        )
    return Layout(
        Region(flash.origin, firmware_bytes, flash.kind),
        (journal, journal + sector),
        (first, first + slot_bytes),
        slot_bytes,
        sector,
        own.unit_bytes if own else UNIT_BYTES,
    )


def _up(address: int, sector: int) -> int:
    return -(-address // sector) * sector
