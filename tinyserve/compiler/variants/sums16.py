# SPDX-License-Identifier: Apache-2.0
"""CONV_2D of int16 activations whose sums fit 32 bits: what the kernels of ``common/conv_2d_s16.h`` read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window, fits_32_bits, narrow_sums
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.records import Clamp, quantized_clamp
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Constant, Params
from tinyserve.compiler.variants import Candidate, layers


@dataclass(frozen=True)
class PatchesParams(Params, c_type="ts_conv_2d_s16_patches_params"):
    """``steps`` of a patch; ``weights_step``: bytes of a pair of channels."""

    window: Window
    output_channels: int
    activation: Clamp
    steps: int
    weights_step: int
    weights: Constant
    bias: Constant
    multipliers: Constant
    shifts: Constant
    narrow_sums: bool


@dataclass(frozen=True)
class Kernel:
    """A core's kernel: ``pack`` gives weights [pairs][2][taps, rounded up to ``lanes``] in its order.

    ``pixels``: of a patch, with ``patch_bytes`` per tap. Costs are instructions per step of a patch and pair
    of channels, per output, and per tap that is gathered to a patch.
    """

    function: str
    header: str
    source: str
    variant: str
    reason: str
    pixels: int
    lanes: int
    step_cost: float
    output_cost: float
    tap_cost: float
    pack: Callable[[npt.NDArray[np.int8]], npt.NDArray[np.int8]]
    patch_bytes: int = 2


@dataclass(frozen=True)
class _Factors:
    """Per channel: bias, multiplier and shift as the kernel takes them."""

    bias: npt.NDArray[np.int64]
    multipliers: npt.NDArray[np.int64]
    shifts: npt.NDArray[np.int64]


def candidates(node: Node, lowering: Lowering, kernel: Kernel) -> list[Candidate]:
    """One candidate for ungrouped layers whose sums and factors the kernel's 32 bits hold."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    if input.dtype is not DType.INT16 or weights.shape[3] != input.shape[3] or not fits_32_bits(node):
        return []
    factors = _factors(node)
    if factors is None:
        return []
    taps = weights.elements // weights.shape[0]
    steps = -(-taps // kernel.lanes)
    patches = -(-conv_window(node).pixels // kernel.pixels)
    pairs = -(-output.shape[3] // 2)
    cost = patches * pairs * (kernel.step_cost * steps + 25) + output.elements * kernel.output_cost
    cost += conv_window(node).pixels * (kernel.tap_cost * taps + 50)
    return [Candidate(kernel.variant, cost, kernel.reason, lambda: _lower(node, lowering, kernel, factors))]


def _factors(node: Node) -> _Factors | None:
    """None where a factor is so large or small that the kernels' one product does not hold it."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    every = convolution_requantization(node, input, weights, output).per_channel(output.shape[3])
    multipliers, shifts = every.multipliers.astype(np.int64), every.shifts.astype(np.int64)
    start = biases.bias(node, output.shape[3], np.int64)
    if narrow_sums(node):
        return _Factors(start, multipliers, shifts) if np.all(shifts <= 0) else None
    # ts_requantize_s64 rounds multipliers to 16 bits and shifts by 15 - shift: the high half of one product.
    reduced = np.where(multipliers < 0x7FFF0000, (multipliers + (1 << 15)) >> 16, 0x7FFF)
    total = 15 - shifts
    constant = biases.largest_s16_sums(node, weights.data) * reduced < np.int64(1) << (total - 1).clip(0, 62)
    reduced, total = np.where(constant, 0, reduced), np.where(constant, 32, total)
    if np.any((total < 17) | (total > 32)):
        return None
    return _Factors(start, reduced << (32 - total), total)


def _lower(node: Node, lowering: Lowering, kernel: Kernel, factors: _Factors) -> None:
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    view = conv_window(node)
    channels, taps = weights.shape[0], weights.elements // weights.shape[0]
    steps = -(-taps // kernel.lanes)
    pairs = -(-channels // 2)
    padded = np.zeros((2 * pairs, steps * kernel.lanes), dtype=np.int8)
    padded[:channels, :taps] = weights.data.reshape(channels, taps)
    name = weights.name
    params = PatchesParams(
        window=view,
        output_channels=channels,
        activation=quantized_clamp(node),
        steps=steps,
        weights_step=2 * steps * kernel.lanes,
        weights=lowering.constant(f"{name}_pairs", kernel.pack(padded).reshape(-1), "pairs of channels"),
        bias=lowering.constant(f"{name}_bias", factors.bias.astype(np.int32)),
        multipliers=lowering.constant(f"{name}_multipliers", factors.multipliers.astype(np.int32)),
        shifts=lowering.constant(f"{name}_shifts", factors.shifts.astype(np.int8)),
        narrow_sums=narrow_sums(node),
    )
    source, target = lowering.operand(input), lowering.buffer(output)
    lead = layers.patch_lead(view, kernel.pixels, 2 * input.shape[3], 2 * output.shape[3])
    patch_bytes = kernel.patch_bytes * kernel.pixels * steps * kernel.lanes
    size = f"{kernel.function.upper()}_SCRATCH_BYTES({steps})"
    add_call(
        node, lowering, kernel.function, kernel.header, params=params, inputs=[source], outputs=[target],
        overlaps=overlaps(source, target, lead),
        scratch=[lowering.scratch(f"{output.name}_patch", patch_bytes, size=size)],
        macs=output.elements * taps, sources=(kernel.source,), variant=kernel.variant, reason=kernel.reason,
    )  # fmt: skip
