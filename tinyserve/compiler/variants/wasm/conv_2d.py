# SPDX-License-Identifier: Apache-2.0
"""CONV_2D in WebAssembly: four pixels by eight channels, of int8 two products per lane and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.program import Params
from tinyserve.compiler.variants import Candidate, layers
from tinyserve.compiler.variants.wasm import packing

REASON = "four pixels by eight channels in vectors"


@dataclass(frozen=True)
class WasmConv2DParams(Params, c_type="ts_wasm_conv_2d_params"):
    rows: packing.Rows
    matmul: packing.WasmMatmul


@dataclass(frozen=True)
class WasmConv2DF32Params(Params, c_type="ts_wasm_conv_2d_f32_params"):
    rows: packing.Rows
    matmul: packing.WasmMatmulF32


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped convolutions of int8 or float32."""
    input, weights = node.input("input"), node.input("weights")
    if weights.shape[3] != input.shape[3]:
        return []
    macs = node.output.elements * weights.elements // weights.shape[0]
    if layers.is_float(node):
        return [Candidate("wasm", macs * 0.3, REASON, lambda: _lower_f32(node, lowering))]
    if not layers.int8_only(node):
        return []
    assert weights.data is not None
    return of_taps(node, lowering, weights.data)


def of_taps(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8]) -> list[Candidate]:
    """One candidate for taps [output channels][height][width][input channels], if the kernel takes it."""
    factors = convolution_requantization(node, node.input("input"), node.input("weights"), node.output)
    if not packing.fits(node, taps, factors):
        return []
    cost = node.output.elements * taps[0].size * 0.15
    return [Candidate("wasm", cost, REASON, lambda: _lower(node, lowering, taps))]


def _lower(node: Node, lowering: Lowering, taps: npt.NDArray[np.int8]) -> None:
    input, output = node.input("input"), node.output
    image = packing.Image(node, conv_window(node))
    runs = taps.reshape(len(taps), -1, image.run_length())
    factors = convolution_requantization(node, input, node.input("weights"), output)
    matmul = packing.matmul(node, lowering, runs, factors, image.run_offsets())
    add_call(
        node,
        lowering,
        "ts_wasm_conv_2d_s8",
        "wasm/conv_2d.h",
        params=WasmConv2DParams(image.rows(), matmul),
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(node, lowering, DType.INT16)],
        macs=output.elements * taps[0].size,
        variant="wasm",
        reason=REASON,
    )


def _lower_f32(node: Node, lowering: Lowering) -> None:
    weights, output = node.input("weights"), node.output
    assert weights.data is not None
    image = packing.Image(node, conv_window(node))
    rows = weights.data.reshape(len(weights.data), -1)
    matmul = packing.float_matmul(node, lowering, rows, image.run_offsets())
    add_call(
        node,
        lowering,
        "ts_wasm_conv_2d_f32",
        "wasm/conv_2d.h",
        params=WasmConv2DF32Params(image.rows(), matmul),
        inputs=[lowering.operand(node.input("input"))],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(node, lowering, DType.FLOAT32) if image.needs_padding else None],
        macs=output.elements * rows.shape[1],
        variant="wasm",
        reason=REASON,
    )
