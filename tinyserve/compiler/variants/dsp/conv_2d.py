# SPDX-License-Identifier: Apache-2.0
"""CONV_2D with SMLAD: patches of 4 pixels times pairs of output channels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support import biases
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import IntArray, lead_bytes, overlaps
from tinyserve.compiler.ops.support.quantize_params import convolution_requantization
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.program import Buffer, Constant, Optimize, Params
from tinyserve.compiler.variants import Candidate, layers, sums16
from tinyserve.compiler.variants.dsp import clamp, conv_2d_s16, packing, wide, winograd

PIXELS = 4
REASON = "SMLAD on two taps of 4 pixels x 2 channels; dsp: two weights per half-word, dsp-wide: widened"
REASON_SINGLE = "SMLAD on two taps of 1 pixel x 2 channels: a smaller patch at the arena's peak"
REASON_PAIR = "SMLAD on two taps of 2 pixels x 2 channels: half the patch"
_IN_PAIRS = ("s8", "relu_s8")
"""Kernels of two pixels: widened weights have none."""
_REASONS = {"single": REASON_SINGLE, "pair": REASON_PAIR}
WIDE_GAIN = 70.0
"""Instructions per inference that a byte of flash must save where neither size nor speed comes first."""


@dataclass(frozen=True)
class Matmul(Params, c_type="ts_dsp_matmul"):
    """What a product needs to know."""

    steps: int
    pixel_step: int
    rounding: int
    weights: Constant
    weights_bytes: int
    odd: int


@dataclass(frozen=True)
class Products(Params):
    """With the functions for four pixels and for one, NULL where it is not needed."""

    matmul: Matmul
    multiply_4: str | None
    multiply_1: str | None


@dataclass(frozen=True)
class DspConv2D1x1Params(Params, c_type="ts_dsp_conv_2d_1x1_s8_params"):
    """``input_bytes``: of a pixel."""

    products: Products
    pixels: int
    input_bytes: int


@dataclass(frozen=True)
class DspConv2DParams(Params, c_type="ts_dsp_conv_2d_s8_params"):
    products: Products
    window: Window
    input_zero_point: int
    patch_words: int
    row_words: int


@dataclass(frozen=True)
class DspConv2D1x1PairParams(Params, c_type="ts_dsp_conv_2d_1x1_pair_s8_params"):
    one: DspConv2D1x1Params
    multiply_2: str | None


@dataclass(frozen=True)
class DspConv2DPairParams(Params, c_type="ts_dsp_conv_2d_pair_s8_params"):
    one: DspConv2DParams
    multiply_2: str | None


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """Candidates for ungrouped convolutions: weights packed by twos, widened, or transformed; int16."""
    input, weights = node.input("input"), node.input("weights")
    if input.dtype is DType.INT16:
        return sums16.candidates(node, lowering, conv_2d_s16.KERNEL)
    if not packing.applies(node) or weights.shape[3] != input.shape[3]:
        return []
    forms = _forms(node, lowering.target.optimize)
    found = [_candidate(node, lowering, form) for form in forms]
    transformed = winograd.filters(node) if lowering.target.optimize != "size" else None
    if transformed is not None and _is_worth(node, lowering.target.optimize, transformed, forms):
        found.append(winograd.candidate(node, lowering, transformed))
    in_pairs = [form for form in forms if form.kernel in _IN_PAIRS]
    if in_pairs and lowering.target.optimize in ("balanced", "ram"):
        found.append(_pair_candidate(node, lowering, in_pairs[0]))
    if forms and lowering.target.optimize == "ram" and not _is_pointwise(conv_window(node)):
        found.append(_single_candidate(node, lowering, forms[0]))
    return found


def _is_worth(
    node: Node, optimize: Optimize, transformed: winograd.Filters, forms: list[packing.Matmul]
) -> bool:
    """Whether the time that a layer saves is worth its flash; where speed comes first it always is."""
    if not forms or optimize == "speed":
        return True
    cheapest = min(forms, key=lambda form: form.weights.nbytes)
    saved = _cost(conv_window(node), cheapest) - winograd.instructions(node)
    return saved > WIDE_GAIN * (transformed.nbytes - cheapest.weights.nbytes)


def _candidate(node: Node, lowering: Lowering, form: packing.Matmul) -> Candidate:
    cost = _cost(conv_window(node), form) + clamp.cost(node)
    return Candidate(form.variant, cost, REASON, lambda: _lower(node, lowering, form))


def _single_candidate(node: Node, lowering: Lowering, form: packing.Matmul) -> Candidate:
    """One pixel at a time: a quarter of the patch, a quarter more instructions."""
    single = replace(form, variant=f"{form.variant}-single")
    cost = 1.3 * _cost(conv_window(node), form) + clamp.cost(node)
    return Candidate(single.variant, cost, REASON_SINGLE, lambda: _lower(node, lowering, single, pixels=1))


def _pair_candidate(node: Node, lowering: Lowering, form: packing.Matmul) -> Candidate:
    """Two pixels at a time: half the patch, a twentieth more instructions."""
    pair = replace(form, variant=f"{form.variant}-pair")
    cost = 1.06 * _cost(conv_window(node), form) + clamp.cost(node)
    return Candidate(pair.variant, cost, REASON_PAIR, lambda: _lower_pair(node, lowering, pair))


def run_length(view: Window, channels: int) -> int:
    """Taps that lie side by side in input and weights: a row of the filter, or a position if dilated."""
    return channels * (view.filter_width if view.dilation_width == 1 else 1)


def _forms(node: Node, optimize: Optimize) -> list[packing.Matmul]:
    """The forms of the weights that are exact and whose flash the target allows."""
    input, weights, output = node.input("input"), node.input("weights"), node.output
    assert weights.data is not None
    taps = weights.data.reshape(weights.shape[0], -1)
    steps = packing.in_steps(taps, run_length(conv_window(node), input.shape[3]))
    factors = convolution_requantization(node, input, weights, output)
    bias = biases.exact_folded_bias(node, taps)
    packed = packing.matmul(node, steps, bias, factors)
    if optimize == "size":
        return [packed] if packed else []
    widened = wide.matmul(node, steps, bias, factors)
    forms = [form for form in (packed, widened) if form is not None]
    if len(forms) == 2 and optimize != "speed":
        bytes_more = forms[1].weights.nbytes - forms[0].weights.nbytes
        saved = _cost(conv_window(node), forms[0]) - _cost(conv_window(node), forms[1])
        return forms if saved > WIDE_GAIN * bytes_more else forms[:1]
    return forms


def pointwise_cost(pixels: int, packed: packing.Matmul) -> float:
    """Instructions of a 1x1 convolution; pixels that make no block of 4 cost more."""
    pairs = len(packed.weights)
    block = pairs * (packed.cost_per_step * packed.steps + packed.cost_per_pair) + 8.5 * packed.steps + 60
    single = pairs * (4.0 * packed.steps + 40) + 2.5 * packed.steps + 60
    return pixels // PIXELS * block + pixels % PIXELS * single


def _cost(view: Window, packed: packing.Matmul) -> float:
    row = packed.steps // view.filter_height * 2
    edges = layers.border_pixels(view) * view.filter_height * (15.0 + 4 * row)
    return pointwise_cost(view.pixels, packed) + view.pixels * 15.0 * view.filter_height + edges


def _is_pointwise(view: Window) -> bool:
    strides = (view.stride_height, view.stride_width)
    return (view.filter_height, view.filter_width) == (1, 1) == strides and view.pad_top == view.pad_left == 0


def _lower(node: Node, lowering: Lowering, packed: packing.Matmul, pixels: int = PIXELS) -> None:
    """``pixels``: of a patch, 4 or 1."""
    input, output = node.input("input"), node.output
    view = conv_window(node)
    if _is_pointwise(view):
        lower_pointwise(node, lowering, packed, view.pixels, input.shape[3])
        return
    row_words = -(-run_length(view, input.shape[3]) // 4)
    patch_words = pixels * packed.steps
    params = DspConv2DParams(
        products=_products(node, lowering, packed, view.pixels // max(1, view.batches) if pixels > 1 else 1),
        window=view,
        input_zero_point=input.zero_point,
        patch_words=patch_words,
        row_words=row_words,
    )
    rows = 1 + _most_cut(view, pixels)
    size = f"TS_DSP_CONV_2D_SCRATCH_BYTES({patch_words}, {row_words}, {rows})"
    patch = lowering.scratch(f"{output.name}_patch", 4 * (patch_words + row_words * rows), size=size)
    lead = _lead(view, input.shape[3], output.shape[3], pixels)
    _call(node, lowering, packed, "conv_2d", params, patch=patch, lead=lead)


def _lower_pair(node: Node, lowering: Lowering, packed: packing.Matmul) -> None:
    input, output = node.input("input"), node.output
    view, depth, channels = conv_window(node), input.shape[3], output.shape[3]
    pointwise = _is_pointwise(view)
    pixels = view.pixels if pointwise else view.pixels // max(1, view.batches)
    products = _products(node, lowering, packed, 1)
    if pixels % 2 == 0:
        products = replace(products, multiply_1=None)
    multiply_2 = f"ts_dsp_matmul_2_{packed.kernel}" if pixels > 1 else None
    words, name = min(2, pixels) * packed.steps, f"{output.name}_patch"
    if pointwise:
        size = f"TS_DSP_CONV_2D_1X1_SCRATCH_BYTES({min(2, pixels)}, {packed.steps})"
        one = DspConv2D1x1Params(products, pixels, depth)
        lead = _block_lead(np.arange(pixels, dtype=np.int64)[None, :], depth, channels, 2)
        _call(
            node, lowering, packed, "conv_2d_1x1_pair", DspConv2D1x1PairParams(one, multiply_2),
            patch=lowering.scratch(name, 4 * words, size=size), lead=lead,
        )  # fmt: skip
        return
    words = 2 * packed.steps
    row_words, rows = -(-run_length(view, depth) // 4), 1 + _most_cut(view, 1)
    size = f"TS_DSP_CONV_2D_SCRATCH_BYTES({words}, {row_words}, {rows})"
    patch = lowering.scratch(name, 4 * (words + row_words * rows), size=size)
    params = DspConv2DPairParams(
        DspConv2DParams(products, view, input.zero_point, words, row_words), multiply_2
    )
    lead = _lead(view, depth, channels, 2)
    _call(node, lowering, packed, "conv_2d_pair", params, patch=patch, lead=lead)


def lower_pointwise(node: Node, lowering: Lowering, packed: packing.Matmul, pixels: int, depth: int) -> None:
    """A 1x1 convolution, or a fully connected layer whose batches are the pixels."""
    params = DspConv2D1x1Params(_products(node, lowering, packed, pixels), pixels, depth)
    channels = node.input("weights").shape[0]
    reads = np.arange(pixels, dtype=np.int64)[None, :]
    most = min(pixels, PIXELS)
    size = f"TS_DSP_CONV_2D_1X1_SCRATCH_BYTES({most}, {packed.steps})"
    patch = lowering.scratch(f"{node.output.name}_patch", 4 * most * packed.steps, size=size)
    lead = _block_lead(reads, depth, channels)
    _call(node, lowering, packed, "conv_2d_1x1", params, patch=patch, lead=lead)


def _products(node: Node, lowering: Lowering, packed: packing.Matmul, pixels: int) -> Products:
    """``pixels``: of one image. Kernels that it does not need are not linked."""
    weights = node.input("weights")
    function = "ts_dsp_matmul_{}_" + packed.kernel
    whole = len(packed.weights) - packed.odd
    matmul = Matmul(
        steps=packed.steps,
        pixel_step=weights.shape[0],
        rounding=packed.rounding,
        weights=lowering.constant(
            f"{weights.name}_packed", packed.weights, f"see kernels/dsp/{packed.source}"
        ),
        weights_bytes=4 * whole * packed.weights.shape[1],
        odd=int(packed.odd),
    )
    return Products(
        matmul,
        multiply_4=function.format(4) if pixels >= PIXELS else None,
        multiply_1=function.format(1) if pixels % PIXELS else None,
    )


def _call(
    node: Node,
    lowering: Lowering,
    packed: packing.Matmul,
    kernel: str,
    params: Params,
    *,
    patch: Buffer,
    lead: int,
) -> None:
    weights, output = node.input("weights"), node.output
    source, target = lowering.operand(node.input("input")), lowering.buffer(output)
    add_call(
        node, lowering, f"ts_dsp_{kernel}_s8", f"dsp/conv_2d{'_pair' * kernel.endswith('_pair')}.h",
        params=params, inputs=[source], outputs=[target],
        scratch=[patch],
        overlaps=overlaps(source, target, lead),
        macs=output.elements * weights.elements // weights.shape[0],
        sources=(f"dsp/{packed.source}", "dsp/patch.S"), variant=packed.variant,
        reason=_REASONS.get(packed.variant.rpartition("-")[2], REASON),
    )  # fmt: skip
    clamp.add_clamp(node, lowering)


def _most_cut(view: Window, block: int) -> int:
    """How many windows of a block of pixels reach over the left or right edge at most (dilated taps are
    gathered one by one)."""
    if view.dilation_width != 1:
        return 0
    left = np.arange(view.output_width, dtype=np.int64) * view.stride_width - view.pad_left
    cut = np.tile((left < 0) | (left + view.filter_width > view.input_width), view.output_height)
    whole = len(cut) - len(cut) % block
    in_blocks = cut[:whole].reshape(-1, block).sum(axis=1)
    return int(max(in_blocks.max(initial=0), cut[whole:].max(initial=False)))


def _lead(view: Window, input_channels: int, output_channels: int, block: int) -> int:
    reads = view.first_reads().reshape(view.batches, -1)
    return _block_lead(reads, input_channels, output_channels, block)


def _block_lead(first_reads: IntArray, input_channels: int, output_channels: int, block: int = PIXELS) -> int:
    """A block of pixels (the last ones singly) is read, then written; blocks do not span images.

    ``first_reads``: [images][pixels], the first input pixel that each output pixel reads.
    """
    images, pixels = first_reads.shape
    whole = pixels - pixels % block
    starts = np.array([*range(0, whole, block), *range(whole, pixels)])
    first = np.minimum.reduceat(first_reads, starts, axis=1).reshape(-1) * input_channels
    ends = np.append(starts[1:], pixels) + np.arange(images)[:, None] * pixels
    return lead_bytes(first, ends.reshape(-1) * output_channels)
