# SPDX-License-Identifier: Apache-2.0
"""Merges PAD and PADV2 over height and width into the convolutions that read them.

Exact where the padding's value is the zero point, since that is what a convolution takes beyond its input's
borders: it adds nothing to the accumulator.
"""

from __future__ import annotations

from dataclasses import replace

from tinyserve.compiler.graph.types import DType, Graph, Model, Node, Tensor
from tinyserve.compiler.ops.linear.conv_2d import conv_window
from tinyserve.compiler.ops.support.window import Window
from tinyserve.compiler.passes.edit import producer

NAME = "padding"

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


def run(graph: Graph, model: Model) -> int:
    """Returns the number of convolutions that took over a padding. A PAD without readers is dead code."""
    return sum(_merge(graph, node) for node in graph.nodes if node.name in _CONVOLUTIONS and not node.custom)


def _merge(graph: Graph, convolution: Node) -> bool:
    padded = convolution.input("input")
    pad = producer(graph, padded)
    if pad is None or pad.custom or pad.name not in ("PAD", "PADV2"):
        return False
    source = pad.input("input")
    if source.is_constant or not _pads_with_zero_point(pad, source, padded):
        return False
    amounts = _amounts(pad)
    if amounts is None:
        return False
    view = conv_window(convolution)
    top, left = amounts[0][0] + view.pad_top, amounts[1][0] + view.pad_left
    bottom = amounts[0][1] + _after(view)[0]
    right = amounts[1][1] + _after(view)[1]
    reach_y = (view.filter_height - 1) * view.dilation_height + 1
    reach_x = (view.filter_width - 1) * view.dilation_width + 1
    if max(top, bottom) >= reach_y or max(left, right) >= reach_x:
        return False  # some window would lie wholly in the padding
    convolution.attributes = replace(
        convolution.attributes, pad_top=top, pad_bottom=bottom, pad_left=left, pad_right=right
    )
    convolution.set_input("input", source)
    return True


def _pads_with_zero_point(pad: Node, source: Tensor, padded: Tensor) -> bool:
    """PAD uses the output's zero point (0 for floats), PADV2 the value that it is given."""
    if source.quantization != padded.quantization or source.dtype not in (
        DType.INT8,
        DType.INT16,
        DType.FLOAT32,
    ):
        return False
    if pad.name == "PAD":
        return True
    value = pad.optional("value")
    return value is not None and value.data is not None and bool((value.data == padded.zero_point).all())


def _amounts(pad: Node) -> list[list[int]] | None:
    """[[top, bottom], [left, right]], None where something else is padded, too."""
    paddings = pad.input("paddings")
    if paddings.data is None or paddings.shape != (4, 2):
        return None
    batch, height, width, channels = paddings.data.tolist()
    return [height, width] if not any(batch + channels) else None


def _after(view: Window) -> tuple[int, int]:
    """Padding that the window reads after the last row and column."""
    height = (
        (view.output_height - 1) * view.stride_height + (view.filter_height - 1) * view.dilation_height + 1
    )
    width = (view.output_width - 1) * view.stride_width + (view.filter_width - 1) * view.dilation_width + 1
    return (
        max(height - view.pad_top - view.input_height, 0),
        max(width - view.pad_left - view.input_width, 0),
    )
