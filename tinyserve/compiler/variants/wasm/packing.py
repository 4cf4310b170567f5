# SPDX-License-Identifier: Apache-2.0
"""Weights, tables and padded images in the order in which WebAssembly's kernels read them (kernels/wasm).

Every byte is loaded by a page, so blocks are of four channels: a layer has few that are padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.quantize_params import Requantization
from tinyserve.compiler.ops.support.records import Clamp, float_clamp, quantized_clamp
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Buffer, Constant, Params
from tinyserve.compiler.variants import blocks, layers
from tinyserve.compiler.variants.padded import Extents, PaddedImage, Steps

LANES = 4
SLACK = 8
"""TS_WASM_SLACK."""
ALIGNMENT = 16
INT16_BYTES, FLOAT_BYTES = 2, 4
_MOST_SHIFTED = 30
_LEAST_SUM = 1 << 30
_FARTHEST = 255  # of an input from its zero point


@dataclass(frozen=True)
class WasmRequant(Params, c_type="ts_wasm_requant"):
    bias: Constant
    multipliers: Constant
    shifts: Constant
    zero_point: int
    activation: Clamp


@dataclass(frozen=True)
class WasmMatmul(Params, c_type="ts_wasm_matmul"):
    runs: int
    run_pairs: int
    offsets: Constant
    channels: int
    weights: Constant
    requant: WasmRequant


@dataclass(frozen=True)
class WasmMatmulF32(Params, c_type="ts_wasm_matmul_f32"):
    runs: int
    run_length: int
    channels: int
    layer: layers.FloatLayer


@dataclass(frozen=True)
class WasmImage(Params, c_type="ts_wasm_image"):
    extents: Extents
    padded_channels: int
    zero_point: int


@dataclass(frozen=True)
class Rows(Params):
    """How a convolution goes over an image."""

    batches: int
    image: WasmImage
    steps: Steps


def fits(node: Node, taps: npt.NDArray[np.int8], factors: Requantization) -> bool:
    """Whether ``ts_wasm_requant`` takes the layer: no shift to the left, and sums below 2^30."""
    start = np.abs(biases.bias(node, len(taps), np.int64))
    sums = np.abs(taps.reshape(len(taps), -1).astype(np.int64)).sum(axis=1) * _FARTHEST + start
    shifts = factors.per_channel(len(taps)).shifts
    return bool(sums.max(initial=0) < _LEAST_SUM) and all(map(takes_shift, shifts.tolist()))


def takes_shift(shift: int) -> bool:
    """Whether ``ts_wasm_requantize`` does: to the right, by at most 30."""
    return -_MOST_SHIFTED <= shift <= 0


def pairs(rows: npt.NDArray[np.int8], block: int = LANES) -> npt.NDArray[np.int8]:
    """[channels][runs][run] as [blocks][runs][run in pairs][block][2], padded with zeros."""
    return blocks.in_groups(rows, block, 2).reshape(-1)


def requantization(
    node: Node, lowering: Lowering, channels: int, factors: Requantization, block: int = LANES
) -> WasmRequant:
    """How sums become int8; tables are padded to whole blocks."""
    name, every = node.input("weights").name, factors.per_channel(channels)
    bias = biases.bias(node, channels, np.int32)
    return WasmRequant(
        bias=lowering.constant(f"{name}_bias", blocks.whole(bias, block)),
        multipliers=lowering.constant(f"{name}_multipliers", blocks.whole(every.multipliers, block)),
        shifts=lowering.constant(f"{name}_shifts", blocks.whole(every.shifts.astype(np.int8), block)),
        zero_point=node.output.zero_point,
        activation=quantized_clamp(node),
    )


def matmul(
    node: Node, lowering: Lowering, rows: npt.NDArray[np.int8], factors: Requantization, offsets: list[int]
) -> WasmMatmul:
    """For weights [channels][runs][values]."""
    name = node.input("weights").name
    return WasmMatmul(
        runs=len(offsets),
        run_pairs=-(-rows.shape[2] // 2),
        offsets=lowering.constant(f"{name}_offsets", np.array(offsets, dtype=np.int32)),
        channels=len(rows),
        weights=lowering.constant(f"{name}_wasm", pairs(rows), "in pairs, by 4 channels", ALIGNMENT),
        requant=requantization(node, lowering, len(rows), factors),
    )


def float_layer(
    node: Node, lowering: Lowering, rows: npt.NDArray[np.float32], offsets: list[int]
) -> layers.FloatLayer:
    """Weights [channels][values] as [blocks of 4][values][4], biases by 4."""
    name = node.input("weights").name
    bias = biases.bias(node, len(rows), np.float32)
    weights = blocks.side_by_side(rows, LANES)
    return layers.FloatLayer(
        offsets=lowering.constant(f"{name}_offsets", np.array(offsets, dtype=np.int32)),
        weights=lowering.constant(f"{name}_wasm", weights, "4 channels side by side", ALIGNMENT),
        bias=lowering.constant(f"{name}_bias", blocks.whole(bias, LANES)),
        activation=float_clamp(node.attributes.activation),
    )


def float_matmul(
    node: Node, lowering: Lowering, rows: npt.NDArray[np.float32], offsets: list[int]
) -> WasmMatmulF32:
    """For weights [channels][values]."""
    layer = float_layer(node, lowering, rows, offsets)
    return WasmMatmulF32(len(offsets), rows.shape[1] // len(offsets), len(rows), layer)


class Image(PaddedImage):
    """As ``ts_wasm_image``: int8 as int16 without the zero point."""

    def __init__(self, node: Node, view: Window, block: int = 1) -> None:
        super().__init__(node, view, block)
        self._zero_point = node.input("input").zero_point

    def rows(self) -> Rows:
        """How a convolution goes over it."""
        image = WasmImage(self.extents(), self.pixel, self._zero_point)
        return Rows(self.view.batches, image, self.steps())

    def scratch(self, node: Node, lowering: Lowering, dtype: DType) -> Buffer:
        """Where the kernel puts it."""
        return scratch(node, lowering, "padded", self.values, dtype)


def scratch(node: Node, lowering: Lowering, role: str, values: int, dtype: DType) -> Buffer:
    """So many values, and what is read beyond them."""
    size = f"TS_WASM_SCRATCH_BYTES({values}, {dtype.c_type})"
    nbytes = (values + SLACK) * dtype.itemsize
    return lowering.scratch(f"{node.output.name}_{role}", nbytes, alignment=ALIGNMENT, size=size)
