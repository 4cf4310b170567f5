# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB in WebAssembly: eight elements of int8 at a time, four of float32."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.add import Add, Sub, SumScaling
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.records import Clamp, FloatClamp, float_clamp, quantized_clamp
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.wasm import packing

REASON = "elements side by side in vectors"


@dataclass(frozen=True)
class WasmAddParams(Params, c_type="ts_wasm_add_params"):
    elements: int
    activation: Clamp
    scaling: SumScaling
    subtract: bool


@dataclass(frozen=True)
class WasmAddF32Params(Params, c_type="ts_wasm_add_f32_params"):
    elements: int
    activation: FloatClamp
    subtract: bool


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 or float32 inputs of one shape."""
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    if input1.shape != output.shape or input2.shape != output.shape:
        return []
    elements, subtract = output.elements, node.name == "SUB"
    if output.dtype is DType.FLOAT32:
        floats = WasmAddF32Params(elements, float_clamp(node.attributes.activation), subtract)
        return [Candidate("wasm", elements * 2.0, REASON, lambda: _lower(node, lowering, "f32", floats))]
    if output.dtype is not DType.INT8:
        return []
    scaling = (Sub() if subtract else Add()).scaling(node)
    factors = scaling.factor1, scaling.factor2, scaling.output_factor
    if not all(packing.takes_shift(factor.shift) for factor in factors):
        return []
    params = WasmAddParams(elements, quantized_clamp(node), scaling, subtract)
    return [Candidate("wasm", elements * 12.0, REASON, lambda: _lower(node, lowering, "s8", params))]


def _lower(node: Node, lowering: Lowering, kind: str, params: Params) -> None:
    inputs = [node.input("input1"), node.input("input2")]
    sources, target = [lowering.operand(tensor) for tensor in inputs], lowering.buffer(node.output)
    add_call(
        node,
        lowering,
        f"ts_wasm_add_{kind}",
        "wasm/add.h",
        params=params,
        inputs=sources,
        outputs=[target],
        variant="wasm",
        reason=REASON,
        overlaps=broadcast_overlaps(node, inputs, sources, target),
    )
