"""CONV_2D on the host: four pixels by up to 64 channels, four products per lane and step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.codegen.program import ParamValue
from tinyserve.graph.types import Operator
from tinyserve.ops import checks
from tinyserve.ops.base import Lowering
from tinyserve.ops.calls import add_call
from tinyserve.ops.conv_2d import conv_window
from tinyserve.ops.quantize_params import convolution_requantization
from tinyserve.ops.window import Window
from tinyserve.variants import Candidate, layers
from tinyserve.variants.host import packing

REASON = "dot products of four, 16 channels in a block"


def candidates(op: Operator, lowering: Lowering) -> list[Candidate]:
    """One candidate for ungrouped int8 convolutions."""
    input, weights = checks.required(op, 0), checks.required(op, 1)
    if not layers.int8_only(op) or weights.shape[3] != input.shape[3]:
        return []
    macs = op.outputs[0].elements * weights.elements // weights.shape[0]
    return [Candidate("host", macs * 0.03, REASON, lambda: _lower(op, lowering))]


def _lower(op: Operator, lowering: Lowering) -> None:
    weights = checks.required(op, 1)
    assert weights.data is not None
    lower_convolution(op, lowering, weights.data)


def lower_convolution(op: Operator, lowering: Lowering, taps: npt.NDArray[np.int8]) -> None:
    """The call for taps [output channels][height][width][input channels]."""
    input, weights, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    view = conv_window(op)
    image = packing.Image(op, view)
    # Taps that are neighbours in the image make one run.
    run = (view.filter_width if view.dilation_width == 1 else 1) * image.channels
    runs = taps.reshape(len(taps), -1, run)
    factors = convolution_requantization(op, input, weights, output)
    pixels = view.output_height * view.output_width
    in_one_row = _is_contiguous(view)
    params: dict[str, ParamValue] = {
        "batches": view.batches,
        **image.fields(),
        "output_height": 1 if in_one_row else view.output_height,
        "output_width": pixels if in_one_row else view.output_width,
        "row_step": view.stride_height * image.row_bytes,
        "pixel_step": view.stride_width * image.channels,
        "matmul.runs": runs.shape[1],
        "matmul.run_quads": -(-run // packing.QUAD),
        "matmul.channels": len(taps),
    }
    matmul = {
        **packing.constants(
            op,
            lowering,
            packing.quads(runs),
            packing.requantization(op, taps, factors),
            image.tap_offsets()[:: run // image.channels],
        ),
        **packing.output_fields(op),
    }
    add_call(
        op,
        lowering,
        "ts_host_conv_2d_s8",
        "host/conv_2d.h",
        params=params | {f"matmul.{name}": value for name, value in matmul.items()},
        inputs=[lowering.operand(input)],
        outputs=[lowering.buffer(output)],
        scratch=[image.scratch(op, lowering)],
        params_type="ts_host_conv_2d_params",
        macs=output.elements * taps[0].size,
        variant="host",
        reason=REASON,
    )


def _is_contiguous(view: Window) -> bool:
    """Whether the pixels of all rows follow each other: then a row need not end within a group of pixels."""
    return (
        (view.filter_height, view.filter_width) == (1, 1) == (view.stride_height, view.stride_width)
        and view.pad_top == view.pad_left == 0
        and (view.output_height, view.output_width) == (view.input_height, view.input_width)
    )
