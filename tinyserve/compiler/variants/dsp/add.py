# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB: one input by a shift, the other by a table; or both by high halves of products."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.add import Add
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.quantize_params import activation_range
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.sums import SumFactors, factors_for

_SCALED = Kernel(
    "ts_dsp_add_scaled_s8", "dsp/add_scaled.h", "dsp-scaled", "scaled by the high halves of products"
)
REASON = "one input by shifts, the other by a table of 1 KB"


@dataclass(frozen=True)
class DspAddParams(Params, c_type="ts_dsp_add_params"):
    elements: int
    table: Constant
    multiplier: int
    rounding: int
    shift: int


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """For int8, whatever is broadcast; a table for inputs of one shape and outputs that may be any int8."""
    output = node.output
    if output.dtype is not DType.INT8:
        return []
    scaled = Candidate(
        _SCALED.variant, output.elements * 26.0, _SCALED.reason, lambda: Add().add(node, lowering, _SCALED)
    )
    factors = factors_for(node)
    if factors is None or activation_range(node, node.attributes.activation, output) != (-128, 127):
        return [scaled]
    table = Candidate("dsp", output.elements * 10.0, REASON, lambda: _lower(node, lowering, factors))
    return [table, scaled]


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
