# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB on RV32M: one input by a shift, the other by a table."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.rv32m.packing import Rv32mChannel
from tinyserve.compiler.variants.sums import SumFactors, factors_for

REASON = "one input by a shift, the other by a table of 1 KB"


@dataclass(frozen=True)
class Rv32mAddParams(Params, c_type="ts_rv32m_add_params"):
    elements: int
    table: Constant
    scaling: Rv32mChannel
    activation: Clamp


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 inputs of one shape."""
    elements = node.output.elements
    factors = factors_for(node)
    if factors is None:
        return []
    return [Candidate("rv32m", elements * 27.0, REASON, lambda: _lower(node, lowering, factors))]


def _lower(node: Node, lowering: Lowering, factors: SumFactors) -> None:
    assert factors.plain is not None
    output = node.output
    inputs = node.operands()[:: -1 if factors.plain else 1]
    shift = -factors.shift
    rounding = (1 << (shift - 1)) + output.zero_point * (1 << shift)
    params = Rv32mAddParams(
        elements=output.elements,
        table=lowering.constant(f"{output.name}_table", factors.table(), "see kernels/rv32m/add.h"),
        scaling=Rv32mChannel(0, factors.multiplier, shift, rounding),
        activation=quantized_clamp(node),
    )
    sources, target = [lowering.operand(tensor) for tensor in inputs], lowering.buffer(output)
    add_call(
        node,
        lowering,
        "ts_rv32m_add_s8",
        "rv32m/add.h",
        params=params,
        inputs=sources,
        outputs=[target],
        variant="rv32m",
        reason=REASON,
        overlaps=broadcast_overlaps(node, inputs, sources, target),
    )
