# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D. Kernels in ``kernels/pool_2d.h``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from tinyserve.compiler.graph.rows import GATHERED, RowRule, Share, Slab
from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.linear.conv_2d import slab_pads, suffix, window_rows
from tinyserve.compiler.ops.linear.depthwise_conv_2d import channelwise_lead
from tinyserve.compiler.ops.reduction import running
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    activation_range,
    check_activation,
)
from tinyserve.compiler.ops.support.records import (
    Clamp,
    FloatClamp,
    float_clamp,
    quantized_clamp,
)
from tinyserve.compiler.ops.support.window import ExplicitPads, Window, read_padding, window
from tinyserve.compiler.program import Params

_SCALE_TOLERANCE = 1e-6  # TFLM's PoolingPrepare


@dataclass(frozen=True)
class Pool2DAttributes:
    """``pads`` override ``padding`` where the pool is one of some rows; ``share``: of one window's rows."""

    padding: str = "VALID"
    stride_height: int = 1
    stride_width: int = 1
    filter_height: int = 1
    filter_width: int = 1
    activation: Activation = Activation.NONE
    pads: ExplicitPads | None = None
    share: Share | None = None


@dataclass(frozen=True)
class Pool2DParams(Params, c_type="ts_pool_2d_params"):
    window: Window
    activation: Clamp


@dataclass(frozen=True)
class Pool2DF32Params(Params, c_type="ts_pool_2d_f32_params"):
    window: Window
    activation: FloatClamp


class Pool2D(OpDef):
    """SAME and VALID windows always hold at least one element. Kernel ``ts_<kernel>_<type>``."""

    kernel: str
    step: str = ""
    """Of a window that is the whole image: the kernel that takes rows of it in, where there is one."""
    types: Collection[DType] = (DType.INT8, DType.INT16, DType.FLOAT32)
    limits = "input and output quantized alike"

    def attributes(self, options: Options) -> Pool2DAttributes:
        return Pool2DAttributes(
            padding=read_padding(options),
            stride_width=options.int32("stride_w"),
            stride_height=options.int32("stride_h"),
            filter_width=options.int32("filter_width"),
            filter_height=options.int32("filter_height"),
            activation=Activation.read(options),
        )

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, output)
        checks.rank(node, input, 4, "input")
        checks.rank(node, output, 4, "output")
        checks.shape(node, output, (*output.shape[:3], input.shape[3]), "output")
        check_activation(node, node.attributes.activation)
        if input.dtype is not DType.FLOAT32:
            checks.same_quantization(node, input, output, _SCALE_TOLERANCE)
            if node.attributes.activation is not Activation.NONE:
                checks.per_tensor(node, output)
            activation_range(node, node.attributes.activation, output)
        _window(node)

    def rows(self, node: Node) -> RowRule:
        view = _window(node)
        return GATHERED if self.step and _is_global(view) else window_rows(node, view)

    def slab_attributes(self, node: Node, slab: Slab) -> Pool2DAttributes:
        attributes = node.attributes
        assert isinstance(attributes, Pool2DAttributes)
        return replace(attributes, pads=slab_pads(node, _window(node), slab))

    def share_attributes(self, node: Node, share: Share) -> Pool2DAttributes:
        attributes = node.attributes
        assert isinstance(attributes, Pool2DAttributes)
        return replace(attributes, share=share)

    def finish(self, node: Node) -> running.Finish:
        """What makes the output of a window's running sums or maxima."""
        raise NotImplementedError

    def taken(self, node: Node) -> running.Rows:
        """The rows that a share of the operator takes in."""
        _, height, width, channels = node.input("input").shape
        shape = running.ReduceShape.pixels(height * width, channels)
        return running.Rows(node, node.attributes.share, shape, self.step)

    def lower(self, node: Node, lowering: Lowering) -> None:
        if node.attributes.share is not None:
            running.lower(self.taken(node), self.finish(node), lowering)
            return
        if lowering.lower_variant("pool_2d", node):
            return
        input = node.input("input")
        self.add(node, lowering, Kernel(f"ts_{self.kernel}_{suffix(input)}", "pool_2d.h"))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel) -> None:
        """Appends the call of a kernel that takes the portable kernels' parameters."""
        input, output = node.input("input"), node.output
        view = _window(node)
        params: Params
        if input.dtype is DType.FLOAT32:
            params = Pool2DF32Params(view, float_clamp(node.attributes.activation))
        else:
            params = Pool2DParams(view, quantized_clamp(node))
        source, target = lowering.operand(input), lowering.buffer(output)
        add_call(
            node,
            lowering,
            kernel.function,
            kernel.header,
            params=params,
            inputs=[source],
            outputs=[target],
            overlaps=overlaps(source, target, channelwise_lead(view, input, output)),
            variant=kernel.variant,
            reason=kernel.reason,
        )


def _window(node: Node) -> Window:
    attributes: Pool2DAttributes = node.attributes
    return window(
        node,
        (attributes.filter_height, attributes.filter_width),
        (attributes.stride_height, attributes.stride_width),
        attributes.padding,
        pads=attributes.pads,
    )


def _is_global(view: Window) -> bool:
    """Whether there is one window, which all of the image is in."""
    inside = view.filter_height - view.pad_top >= view.input_height and (
        view.filter_width - view.pad_left >= view.input_width
    )
    return inside and (view.batches, view.output_height, view.output_width) == (1, 1, 1)


class AveragePool2D(Pool2D):
    name = "AVERAGE_POOL_2D"
    kernel = "average_pool_2d"
    step = "sum"

    def kept_between(self, node: Node) -> Tensor:
        _, height, width, _ = node.input("input").shape
        return running.sums_of(node, height * width)

    def finish(self, node: Node) -> running.Finish:
        outputs, share = node.output.elements, node.attributes.share
        _, height, width, _ = node.input("input").shape
        count = share.height * height * width // (height, width)[share.axis - 1]
        if node.output.dtype is DType.FLOAT32:
            activation = float_clamp(node.attributes.activation)
            return running.Finish("mean", running.RunningMeanF32Params(outputs, float(count), activation))
        return running.Finish("mean", running.RunningMeanParams(outputs, count, quantized_clamp(node)))


class MaxPool2D(Pool2D):
    name = "MAX_POOL_2D"
    kernel = "max_pool_2d"
    step = "max"

    def kept_between(self, node: Node) -> Tensor:
        return running.greatest_of(node)

    def finish(self, node: Node) -> running.Finish:
        outputs = node.output.elements
        if node.output.dtype is DType.FLOAT32:
            activation = float_clamp(node.attributes.activation)
            return running.Finish("clamp", running.RunningClampF32Params(outputs, activation))
        return running.Finish("clamp", running.RunningClampParams(outputs, quantized_clamp(node)))


class L2Pool2D(Pool2D):
    """The root of the mean of squares, for float32 alone."""

    name = "L2_POOL_2D"
    kernel = "l2_pool_2d"
    types = (DType.FLOAT32,)
    limits = ""


OPS = (AveragePool2D(), MaxPool2D(), L2Pool2D())
