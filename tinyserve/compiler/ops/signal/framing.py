# SPDX-License-Identifier: Apache-2.0
"""The signal operators that cut a stream of samples into frames, and back: SignalWindow, SignalFftAutoScale,
SignalFramer, SignalStacker, SignalDelay, SignalOverlapAdd. Kernels in ``kernels/framing.h``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.custom_options import CustomAttributes, option, read_attributes
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.program import Buffer, Params

_MOST = 1 << 20  # samples
_HEADER = "framing.h"


@dataclass(frozen=True)
class WindowParams(Params, c_type="ts_window_params"):
    rows: int
    length: int
    shift: int


@dataclass(frozen=True)
class FftAutoScaleParams(Params, c_type="ts_fft_auto_scale_params"):
    count: int


@dataclass(frozen=True)
class FramerParams(Params, c_type="ts_framer_params"):
    rows: int
    frames: int
    frame_size: int
    frame_step: int
    capacity: int


@dataclass(frozen=True)
class StackerParams(Params, c_type="ts_stacker_params"):
    channels: int
    left_context: int
    size: int
    drop: int


@dataclass(frozen=True)
class DelayParams(Params, c_type="ts_delay_params"):
    rows: int
    length: int
    delay: int


@dataclass(frozen=True)
class OverlapAddParams(Params, c_type="ts_overlap_add_params"):
    rows: int
    frames: int
    frame_size: int
    frame_step: int


class _Framing(OpDef):
    """Base. Inputs and the first output are int16; rows are all dimensions but the last."""

    custom = True
    types: Collection[DType] = (DType.INT16,)

    def attributes(self, options: Options) -> CustomAttributes:
        return read_attributes(options)

    def check(self, node: Node) -> None:
        for tensor in (*node.inputs, node.output):
            if tensor is not None:
                checks.dtype(node, tensor, (DType.INT16,), f'"{tensor.name}"')
                if not tensor.shape:
                    raise checks.invalid(node, f'"{tensor.name}" is a scalar')
        self.params(node)

    def params(self, node: Node) -> Params:
        """The kernel's numbers. Raises ModelError for options and shapes that contradict each other."""
        raise NotImplementedError


class Window(_Framing):
    """[..][n] times weights [n], shifted right by ``shift``."""

    name = "SignalWindow"
    inputs = ("input", "weights")

    def params(self, node: Node) -> WindowParams:
        input, weights = node.input("input"), node.input("weights")
        checks.shape(node, node.output, input.shape, "output")
        checks.elements(node, weights, input.shape[-1], "weights")
        length = input.shape[-1]
        return WindowParams(input.elements // length, length, option(node, "shift", 0, 31))

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not lowering.lower_variant("signal", node):
            self.add(node, lowering, Kernel("ts_window", _HEADER))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel) -> None:
        inputs = [lowering.operand(tensor) for tensor in node.operands()]
        target = lowering.buffer(node.output)
        add_call(
            node, lowering, kernel.function, kernel.header, params=self.params(node), inputs=inputs,
            outputs=[target], overlaps=overlaps(inputs[0], target, 0), variant=kernel.variant,
            reason=kernel.reason,
        )  # fmt: skip


class FftAutoScale(_Framing):
    """[n], and as int32 the number of bits by which it is shifted left."""

    name = "SignalFftAutoScale"
    outputs = ("output", "scale_bits")

    def params(self, node: Node) -> FftAutoScaleParams:
        count = node.input("input").elements
        checks.shape(node, node.output, (count,), "output")
        checks.dtype(node, node.outputs[1], (DType.INT32,), "scale bits")
        checks.elements(node, node.outputs[1], 1, "scale bits")
        return FftAutoScaleParams(count)

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not lowering.lower_variant("signal", node):
            self.add(node, lowering, Kernel("ts_fft_auto_scale", _HEADER))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel) -> None:
        _add(node, lowering, kernel, self.params(node))


class Framer(_Framing):
    """[..][frames * frame_step] to [..][frames][frame_size], and whether all frames are complete.

    Frames overlap across inferences; with ``prefill`` zeros come before the first sample.
    """

    name = "SignalFramer"
    outputs = ("output", "valid")

    def params(self, node: Node) -> FramerParams:
        input = node.input("input")
        size = option(node, "frame_size", 1, _MOST)
        step = option(node, "frame_step", 1, size)
        option(node, "prefill", 0, 1)
        rows, length = input.elements // input.shape[-1], input.shape[-1]
        if length % step:
            raise checks.invalid(node, f"{length} samples are no multiple of the frame step {step}")
        checks.shape(node, node.output, (*input.shape[:-1], length // step, size), "output")
        _check_valid(node)
        capacity = -(-size // step) * step
        return FramerParams(rows, length // step, size, step, capacity)

    def lower(self, node: Node, lowering: Lowering) -> None:
        params = self.params(node)
        filled = params.frame_size - params.frame_step if node.attributes.get("prefill") else 0
        lengths = np.full(params.rows, filled, dtype="<i4").tobytes()
        name = node.output.name
        state = [
            lowering.state(f"{name}_samples", 2 * params.rows * params.capacity),
            lowering.state(f"{name}_lengths", 4 * params.rows, lengths),
        ]
        _add(node, lowering, Kernel("ts_framer", _HEADER), params, *state)


class Stacker(_Framing):
    """[num_channels] to the last left + 1 + right frames, and whether there are that many."""

    name = "SignalStacker"
    outputs = ("output", "valid")

    def params(self, node: Node) -> StackerParams:
        channels = option(node, "num_channels", 1, _MOST)
        left = option(node, "stacker_left_context", 0, _MOST)
        frames = left + option(node, "stacker_right_context", 0, _MOST) + 1
        step = option(node, "stacker_step", 1, frames)
        checks.elements(node, node.input("input"), channels, "input")
        checks.elements(node, node.output, channels * frames, "output")
        _check_valid(node)
        return StackerParams(channels, left, channels * frames, channels * step)

    def lower(self, node: Node, lowering: Lowering) -> None:
        name = node.output.name
        state = [lowering.state(f"{name}_frames", node.output.nbytes), lowering.state(f"{name}_state", 8)]
        _add(node, lowering, Kernel("ts_stacker", _HEADER), self.params(node), *state)


class Delay(_Framing):
    """[..][n]: each row of the stream, ``delay_length`` samples later."""

    name = "SignalDelay"

    def params(self, node: Node) -> DelayParams:
        input = node.input("input")
        checks.shape(node, node.output, input.shape, "output")
        length = input.shape[-1]
        delay = option(node, "delay_length", 0, _MOST)
        return DelayParams(input.elements // length, length, delay)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input = node.input("input")
        nbytes = 2 * input.elements // input.shape[-1] * int(node.attributes.get("delay_length"))
        state = lowering.state(f"{node.output.name}_state", max(2, nbytes))
        _add(node, lowering, Kernel("ts_delay", _HEADER), self.params(node), state)


class OverlapAdd(_Framing):
    """[..][frames][frame_size] to [..][frames * frame_step], summed where they overlap; int16 or float32."""

    name = "SignalOverlapAdd"
    types = (DType.INT16, DType.FLOAT32)

    def check(self, node: Node) -> None:
        input = node.input("input")
        checks.dtype(node, input, (DType.INT16, DType.FLOAT32), "input")
        checks.same_dtype(node, input, node.output)
        self.params(node)

    def params(self, node: Node) -> OverlapAddParams:
        input = node.input("input")
        if len(input.shape) < 2:
            raise checks.invalid(node, f"input {list(input.shape)} has no frames")
        *rows, frames, size = input.shape
        step = option(node, "frame_step", 1, size)
        checks.shape(node, node.output, (*rows, frames * step), "output")
        count = input.elements // (frames * size)
        return OverlapAddParams(count, frames, size, step)

    def lower(self, node: Node, lowering: Lowering) -> None:
        input = node.input("input")
        state = lowering.state(f"{node.output.name}_state", input.nbytes // input.shape[-2])
        kind = "f32" if input.dtype is DType.FLOAT32 else "s16"
        _add(node, lowering, Kernel(f"ts_overlap_add_{kind}", _HEADER), self.params(node), state)


def _check_valid(node: Node) -> None:
    checks.dtype(node, node.outputs[1], (DType.BOOL,), "output 1")
    checks.elements(node, node.outputs[1], 1, "output 1")


def _add(
    node: Node,
    lowering: Lowering,
    kernel: Kernel,
    params: Params,
    *state: Buffer,
) -> None:
    add_call(
        node,
        lowering,
        kernel.function,
        kernel.header,
        params=params,
        inputs=[lowering.operand(node.input("input"))],
        outputs=[lowering.buffer(output) for output in node.outputs],
        scratch=state,
        variant=kernel.variant,
        reason=kernel.reason,
    )


OPS = (Window(), FftAutoScale(), Framer(), Stacker(), Delay(), OverlapAdd())
