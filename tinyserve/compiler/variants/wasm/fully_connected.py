# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED in WebAssembly: a row by sixteen channels, four rows by eight."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.wasm import packing

REASON = "sixteen channels in vectors"


@dataclass(frozen=True)
class WasmFullyConnectedParams(Params, c_type="ts_wasm_fully_connected_params"):
    rows: int
    depth: int
    input_zero_point: int
    matmul: packing.WasmMatmul


@dataclass(frozen=True)
class WasmFullyConnectedF32Params(Params, c_type="ts_wasm_fully_connected_f32_params"):
    rows: int
    depth: int
    matmul: packing.WasmMatmulF32


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for layers of int8 or float32."""
    weights = node.input("weights")
    macs = node.output.elements * weights.shape[1]
    if layers.is_float(node):
        return [Candidate("wasm", macs * 0.3, REASON, lambda: _lower_f32(node, lowering))]
    if not layers.int8_only(node):
        return []
    assert weights.data is not None
    factors = convolution_requantization(node, node.input("input"), weights, node.output)
    if not packing.fits(node, weights.data, factors):
        return []
    return [Candidate("wasm", macs * 0.15, REASON, lambda: _lower(node, lowering))]


def _lower(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    depth = weights.shape[1]
    factors = convolution_requantization(node, input, weights, output)
    matmul = packing.matmul(node, lowering, weights.data[:, None, :], factors, [0])
    add_call(
        node,
        lowering,
        "ts_wasm_fully_connected_s8",
        "wasm/fully_connected.h",
        params=WasmFullyConnectedParams(input.elements // depth, depth, input.zero_point, matmul),
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[packing.scratch(node, lowering, "wide", input.elements, DType.INT16)],
        macs=output.elements * depth,
        variant="wasm",
        reason=REASON,
    )


def _lower_f32(node: Node, lowering: Lowering) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    depth = weights.shape[1]
    matmul = packing.float_matmul(node, lowering, weights.data, [0])
    add_call(
        node,
        lowering,
        "ts_wasm_fully_connected_f32",
        "wasm/fully_connected.h",
        params=WasmFullyConnectedF32Params(input.elements // depth, depth, matmul),
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        macs=output.elements * depth,
        variant="wasm",
        reason=REASON,
    )
