# SPDX-License-Identifier: Apache-2.0
"""A copy of a value within the arena, as a kernel call."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.program import Buffer, KernelCall, Operand, Overlap, Params


@dataclass(frozen=True)
class MoveParams(Params, c_type="ts_move_params"):
    """``bytes``: of the value."""

    bytes: int


def move(source: Operand, target: Buffer, layer: str, comment: str = "") -> KernelCall:
    """A copy of all bytes of ``source``."""
    reads = [source] if isinstance(source, Buffer) else []
    return KernelCall(
        function="ts_move",
        header="move.h",
        params=MoveParams(source.nbytes),
        args=[source, target],
        reads=reads,
        writes=[target],
        layer=layer,
        op="MOVE",
        comment=comment or f"{source.nbytes} bytes",
        overlaps=[Overlap(buffer, target, lead_bytes=-buffer.nbytes) for buffer in reads],
    )
