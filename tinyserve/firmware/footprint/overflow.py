# SPDX-License-Identifier: Apache-2.0
"""What to say when a firmware does not fit its board."""

from __future__ import annotations

from tinyserve.compiler.names import short_name
from tinyserve.compiler.program import MemoryPlan, Program
from tinyserve.errors import FitError
from tinyserve.firmware.footprint.peak import peak_call
from tinyserve.firmware.footprint.remedies import Excess, Measure, remedies
from tinyserve.firmware.render import Project
from tinyserve.firmware.sizes import Sizes


def overflow_error(project: Project, sizes: Sizes, measure: Measure | None) -> FitError:
    """By how much it does not fit, what takes the most, and what would make it fit. ``measure``: as
    ``remedies`` takes it."""
    board = project.board
    assert board.flash is not None and board.ram is not None
    excess = Excess(sizes.flash_bytes - board.flash.bytes, sizes.ram_bytes - board.ram.bytes)
    facts = []
    if excess.flash > 0:
        facts.append(
            f"flash is {excess.flash:,} bytes over, {sizes.flash_bytes:,} where there are"
            f" {board.flash.bytes:,} (weights {sizes.weights_bytes:,},"
            f" kernels and model {sizes.model_bytes:,})"
        )
    if excess.ram > 0:
        facts.append(
            f"RAM is {excess.ram:,} bytes over, {sizes.ram_bytes:,} where there are {board.ram.bytes:,}"
            f" (arena {sizes.arena_bytes:,}, stack {sizes.stack_bytes:,},"
            f" input copy {project.model.input_bytes:,}{_copied(sizes)})"
        )
        facts += _peak(project.compiled.program, project.compiled.plan)
    return FitError(
        f"{project.model.name} does not fit {board.id}: {'; '.join(facts)}",
        remedies(project.compiled, board, excess, measure),
    )


def _copied(sizes: Sizes) -> str:
    return f", copied from flash at start {sizes.copied_bytes:,}" if sizes.copied_bytes else ""


def _peak(program: Program, plan: MemoryPlan) -> list[str]:
    peak = peak_call(program, plan)
    if peak is None:
        return []
    call = program.calls[peak[0]]
    return [f'the arena peaks at layer "{short_name(call.layer)}" ({call.op}, {peak[1]:,} bytes in use)']
