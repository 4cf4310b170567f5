# SPDX-License-Identifier: Apache-2.0
"""What to say when a firmware does not fit its board."""

from __future__ import annotations

from collections.abc import Iterable

from tinyserve.boards import all_boards
from tinyserve.boards.fit import Demand, fit
from tinyserve.boards.types import Board
from tinyserve.compiler.names import short_name
from tinyserve.compiler.program import MemoryPlan, Program
from tinyserve.errors import FitError
from tinyserve.firmware.render import Project
from tinyserve.firmware.sizes import Sizes

NAMED_BOARDS = 4


def overflow_error(project: Project, sizes: Sizes) -> FitError:
    """By how much it does not fit, what takes the most, which boards would do, and what would shrink it."""
    board = project.board
    assert board.flash is not None and board.ram is not None
    program, plan = project.compiled.program, project.compiled.plan
    facts, remedies = [], []
    over_flash = sizes.flash_bytes - board.flash.bytes
    over_ram = sizes.ram_bytes - board.ram.bytes
    if over_flash > 0:
        facts.append(
            f"flash is {over_flash:,} bytes over: {sizes.flash_bytes:,} of {board.flash.bytes:,}"
            f" (weights {sizes.weights_bytes:,}, kernels and model {sizes.model_bytes:,})"
        )
        remedies += flash_remedies(program, board.flash.bytes)
    if over_ram > 0:
        facts.append(
            f"RAM is {over_ram:,} bytes over: {sizes.ram_bytes:,} of {board.ram.bytes:,}"
            f" (arena {sizes.arena_bytes:,}, stack {sizes.stack_bytes:,},"
            f" input copy {project.model.input_bytes:,}{_copied(sizes)})"
        )
        facts += _peak(program, plan)
        remedies += ram_remedies(program, plan)
    fitting = _boards_that_fit(sizes)
    remedies.append(
        f"a board that it fits: {', '.join(fitting)}" if fitting else "no known board would fit it"
    )
    return FitError(
        f"{project.model.name} does not fit {board.id}: " + "; ".join(facts), "; or ".join(remedies)
    )


def _copied(sizes: Sizes) -> str:
    return f", copied from flash at start {sizes.copied_bytes:,}" if sizes.copied_bytes else ""


def peak_call(program: Program, plan: MemoryPlan) -> tuple[int, int] | None:
    """The kernel call during which the most of the arena is in use, and how many bytes are."""
    live = [
        _covered(
            (plan.offsets[buffer], plan.offsets[buffer] + buffer.nbytes)
            for buffer, life in plan.lifetimes.items()
            if life.first <= index <= life.last
        )
        for index in range(len(program.calls))
    ]
    return max(enumerate(live), key=lambda item: item[1]) if live else None


def _covered(intervals: Iterable[tuple[int, int]]) -> int:
    """Bytes that the intervals cover: buffers that share bytes (in-place operators) count once."""
    total = reached = 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _peak(program: Program, plan: MemoryPlan) -> list[str]:
    peak = peak_call(program, plan)
    if peak is None:
        return []
    call = program.calls[peak[0]]
    return [f'the arena peaks at layer "{short_name(call.layer)}" ({call.op}, {peak[1]:,} bytes in use)']


def flash_remedies(program: Program, room: int | None) -> list[str]:
    """What would make the flash smaller, of which there are ``room`` bytes. Smaller kernels are no remedy
    where they were chosen already, or where the weights alone are too large."""
    weights = sum(constant.nbytes for constant in program.constants)
    smaller = program.target.optimize != "size" and (room is None or weights < room)
    remedies = ["--optimize size"] if smaller else []
    if program.constants:
        largest = max(program.constants, key=lambda constant: constant.nbytes)
        remedies.append(
            f'fewer channels where the largest weights are ("{largest.name}", {largest.nbytes:,} bytes)'
        )
    if any(str(constant.values.dtype) == "float32" for constant in program.constants):
        remedies.append("--quantize int8, a quarter of float32's weights")
    return remedies


def ram_remedies(program: Program, plan: MemoryPlan) -> list[str]:
    """What would make the RAM smaller."""
    remedies = ["--optimize ram"] if program.target.optimize != "ram" else []
    peak = peak_call(program, plan)
    if peak is not None:
        remedies.append(
            f'a smaller input or a larger stride before layer "{short_name(program.calls[peak[0]].layer)}"'
        )
    return remedies


def _boards_that_fit(sizes: Sizes) -> list[str]:
    """The smallest real boards first."""
    fitting = [board for board in all_boards() if board.platformio and _fits(board, sizes)]
    fitting.sort(key=lambda board: board.ram.bytes if board.ram else 0)
    return [board.id for board in fitting[:NAMED_BOARDS]]


def _fits(board: Board, sizes: Sizes) -> bool:
    needs = Demand(sizes.flash_bytes, sizes.ram_bytes - sizes.copied_bytes, sizes.weights_bytes)
    return board.flash is not None and board.ram is not None and fit(needs, board) != "too large"
