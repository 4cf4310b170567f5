# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB: one input by a shift, the other by a table."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import activation_range
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.sums import SumFactors, factors_for

REASON = "one input by shifts, the other by a table of 1 KB"


@dataclass(frozen=True)
class DspAddParams(Params, c_type="ts_dsp_add_params"):
    elements: int
    table: Constant
    multiplier: int
    rounding: int
    shift: int


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 inputs of one shape and outputs that may be all of int8."""
    output = node.output
    factors = factors_for(node)
    if factors is None or activation_range(node, node.attributes.activation, output) != (-128, 127):
        return []
    return [Candidate("dsp", output.elements * 10.0, REASON, lambda: _lower(node, lowering, factors))]


def _lower(node: Node, lowering: Lowering, factors: SumFactors) -> None:
    assert factors.plain is not None
    output = node.output
    inputs = node.operands()[:: -1 if factors.plain else 1]
    shift = -factors.shift - 1
    params = DspAddParams(
        elements=output.elements,
        table=lowering.constant(f"{output.name}_table", factors.table(), "see kernels/dsp/add.h"),
        multiplier=factors.multiplier,
        rounding=(2 * output.zero_point + 1) * (1 << shift),
        shift=shift,
    )
    sources, target = [lowering.operand(tensor) for tensor in inputs], lowering.buffer(output)
    function = "ts_dsp_add_relu_s8" if output.zero_point == -128 else "ts_dsp_add_s8"
    add_call(
        node, lowering, function, "dsp/add.h", params=params, inputs=sources, outputs=[target],
        sources=("dsp/add.S",), variant="dsp", reason=REASON,
        overlaps=broadcast_overlaps(node, inputs, sources, target),
    )  # fmt: skip
