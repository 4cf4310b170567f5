# SPDX-License-Identifier: Apache-2.0
"""Which boards a model's bench firmware fits. Weights, tables and arena are known as soon as it is compiled;
its code is known where it was built (``firmware/footprint/demand.py``), else estimated, with bounds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from tinyserve.boards.memories import DEFAULT_FLASH
from tinyserve.boards.types import Board, Region
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.program import every_call

Fit = Literal["fits", "tight", "too large"]

CODE_BANK_BYTES = 32 * 1024
"""Code in tightly coupled memory takes whole banks of it (i.MX RT's FlexRAM)."""
TIGHT = 0.9
"""Beyond this part of a region little room is left for a product."""

# Of code that was not built. Built for five cores, 90 unlike models have 0.44 to 3.5 times what the kernels'
# and calls' bytes say, and 8.1 to 13.7 KB around that (start-up, protocol, arithmetic).
_KERNEL_BYTES = 600
_CALL_BYTES = 100
_LEAST, _MOST = 0.4, 4.0
_BASE_BYTES, _LEAST_BASE_BYTES, _MOST_BASE_BYTES = 11_000, 8_000, 15_000

# RAM beside arena, inputs and stack: the protocol's buffers, alignment.
_BUFFER_BYTES = 1_280
_STACK_BYTES = 4_096


@dataclass(frozen=True)
class Demand:
    """What the bench firmware of a model needs. ``estimated`` where it was not built: its flash lies between
    ``least_flash_bytes`` and ``most_flash_bytes`` then, and ``flash_bytes`` is likely."""

    flash_bytes: int
    ram_bytes: int
    constant_bytes: int = 0
    """Of ``flash_bytes``: weights and tables."""
    estimated: bool = False
    least_flash_bytes: int = 0
    most_flash_bytes: int = 0
    kept_bytes: int = 0
    """Of ``constant_bytes``: what stays in flash even where the board copies constants to RAM."""
    elsewhere: tuple[tuple[str, int], ...] = ()
    """Bytes of arena and constants in further memories, by their names: in neither sum."""

    @property
    def flash_range(self) -> tuple[int, int]:
        """The least and the most flash that it takes, bytes."""
        if not self.estimated:
            return self.flash_bytes, self.flash_bytes
        return self.least_flash_bytes, self.most_flash_bytes


def estimate(compiled: Compiled) -> Demand:
    """Flash and RAM of the bench firmware, of which nothing is built. For engine tflm nothing can be said."""
    calls = list(every_call(compiled.program.calls))
    placed = _elsewhere(compiled)
    constants = sum(one.nbytes for one in compiled.program.constants) - sum(placed.constants.values())
    fed = compiled.program.fed_rows is not None  # then none of it is kept
    inputs = 0 if fed else sum(tensor.nbytes for tensor in compiled.program.input_tensors)
    written = sum(len(line) for call in calls for line in call.code)
    code = _KERNEL_BYTES * len({call.function for call in calls}) + _CALL_BYTES * len(calls) + written // 4
    arena = compiled.plan.arena_bytes - sum(placed.arena.values())
    return Demand(
        flash_bytes=constants + _BASE_BYTES + code,
        ram_bytes=arena + inputs + _BUFFER_BYTES + _STACK_BYTES,
        constant_bytes=constants,
        kept_bytes=placed.kept_bytes,
        elsewhere=tuple((placed.arena + placed.constants).items()),
        estimated=True,
        least_flash_bytes=constants + _LEAST_BASE_BYTES + int(_LEAST * code),
        most_flash_bytes=constants + _MOST_BASE_BYTES + int(_MOST * code),
    )


@dataclass(frozen=True)
class _Elsewhere:
    """Bytes in further memories, by name; ``kept_bytes`` of constants are put into flash by hand."""

    arena: Counter[str]
    constants: Counter[str]
    kept_bytes: int


def _elsewhere(compiled: Compiled) -> _Elsewhere:
    plan = compiled.plan
    arena, constants = Counter[str](), Counter[str]()
    for part in plan.parts:
        if part.memory.section:
            arena[part.memory.name] += part.nbytes
    for constant, memory in plan.weights.items():
        constants[memory.name] += constant.nbytes
    return _Elsewhere(arena, constants, constants.pop(DEFAULT_FLASH, 0))


def fit(needs: Demand, board: Board) -> Fit:
    """How the demand compares with the board's flash and RAM; a computer has no limit.

    Where code is estimated, "too large" is what its least does not fit, and "fits" what its most does.
    """
    least, most = needs.flash_range
    if max(_share(least, board.flash), _share(ram_on(needs, board, least), board.ram)) > 1:
        return "too large"
    room = {memory.name: memory.bytes for memory in board.memory}
    if any(nbytes > room.get(name, 0) for name, nbytes in needs.elsewhere):
        return "too large"
    worst = max(_share(most, board.flash), _share(ram_on(needs, board, most), board.ram))
    return "tight" if worst > TIGHT else "fits"


def is_certain(needs: Demand, board: Board) -> bool:
    """Whether the answer of ``fit`` is that of a build, too."""
    return not needs.estimated or fit(needs, board) != "tight"


def ram_on(needs: Demand, board: Board, flash_bytes: int | None = None) -> int:
    """RAM that the demand takes of a board, bytes, with what its start-up copies there. ``flash_bytes``
    instead of the likely ones."""
    code = (needs.flash_bytes if flash_bytes is None else flash_bytes) - needs.constant_bytes
    return needs.ram_bytes + copied_bytes(code, needs.constant_bytes - needs.kept_bytes, board)


def copied_bytes(code_bytes: int, constant_bytes: int, board: Board) -> int:
    """RAM that the board's start-up fills with code and constants from flash, bytes; a twin leaves them
    there."""
    copied = constant_bytes if board.constants_in == "ram" else 0
    if board.code_in == "ram":
        copied += -(-code_bytes // CODE_BANK_BYTES) * CODE_BANK_BYTES
    return copied


def _share(used: int, region: Region | None) -> float:
    return used / region.bytes if region else 0.0
