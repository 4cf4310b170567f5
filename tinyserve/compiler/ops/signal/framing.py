# SPDX-License-Identifier: Apache-2.0
"""The signal operators that cut a stream of samples into frames, and back: SignalWindow, SignalFftAutoScale,
SignalFramer, SignalStacker, SignalDelay, SignalOverlapAdd. Kernels in ``kernels/framing.h``.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tinyserve.compiler.graph.types import DType, Operator, Options
from tinyserve.compiler.ops.signal.filter_bank import SignalAttributes, option, read_attributes
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.program import Buffer, ParamValue

_MOST = 1 << 20  # samples


class _Framing(Op):
    """Base. Inputs and the first output are int16; rows are all dimensions but the last."""

    custom = True
    types: Collection[DType] = (DType.INT16,)
    inputs = 1
    outputs = 1

    def attributes(self, options: Options) -> SignalAttributes:
        return read_attributes(options)

    def check(self, op: Operator) -> None:
        checks.arity(op, self.inputs, outputs=self.outputs)
        for tensor in (*op.inputs, op.outputs[0]):
            if tensor is not None:
                checks.dtype(op, tensor, (DType.INT16,), f'"{tensor.name}"')
                if not tensor.shape:
                    raise checks.invalid(op, f'"{tensor.name}" is a scalar')
        self.params(op)

    def params(self, op: Operator) -> dict[str, ParamValue]:
        """The kernel's numbers. Raises ModelError for options and shapes that contradict each other."""
        raise NotImplementedError


class Window(_Framing):
    """[..][n] times weights [n], shifted right by ``shift``."""

    name = "SignalWindow"
    inputs = 2

    def params(self, op: Operator) -> dict[str, ParamValue]:
        input, weights = checks.required(op, 0), checks.required(op, 1)
        checks.shape(op, op.outputs[0], input.shape, "output")
        checks.elements(op, weights, input.shape[-1], "weights")
        length = input.shape[-1]
        return {"rows": input.elements // length, "length": length, "shift": option(op, "shift", 0, 31)}

    def lower(self, op: Operator, lowering: Lowering) -> None:
        inputs = [lowering.operand(checks.required(op, index)) for index in (0, 1)]
        target = lowering.buffer(op.outputs[0])
        add_call(
            op, lowering, "ts_window", "framing.h", params=self.params(op), inputs=inputs, outputs=[target],
            overlaps=overlaps(inputs[0], target, 0),
        )  # fmt: skip


class FftAutoScale(_Framing):
    """[n], and as int32 the number of bits by which it is shifted left."""

    name = "SignalFftAutoScale"
    outputs = 2

    def params(self, op: Operator) -> dict[str, ParamValue]:
        count = checks.required(op, 0).elements
        checks.shape(op, op.outputs[0], (count,), "output")
        checks.dtype(op, op.outputs[1], (DType.INT32,), "scale bits")
        checks.elements(op, op.outputs[1], 1, "scale bits")
        return {"count": count}

    def lower(self, op: Operator, lowering: Lowering) -> None:
        _add(op, lowering, "ts_fft_auto_scale", self.params(op))


class Framer(_Framing):
    """[..][frames * frame_step] to [..][frames][frame_size], and whether all frames are complete.

    Frames overlap across inferences; with ``prefill`` zeros come before the first sample.
    """

    name = "SignalFramer"
    outputs = 2

    def params(self, op: Operator) -> dict[str, ParamValue]:
        input = checks.required(op, 0)
        size = option(op, "frame_size", 1, _MOST)
        step = option(op, "frame_step", 1, size)
        option(op, "prefill", 0, 1)
        rows, length = input.elements // input.shape[-1], input.shape[-1]
        if length % step:
            raise checks.invalid(op, f"{length} samples are no multiple of the frame step {step}")
        checks.shape(op, op.outputs[0], (*input.shape[:-1], length // step, size), "output")
        _check_valid(op)
        capacity = -(-size // step) * step
        return {
            "rows": rows,
            "frames": length // step,
            "frame_size": size,
            "frame_step": step,
            "capacity": capacity,
        }

    def lower(self, op: Operator, lowering: Lowering) -> None:
        params = self.params(op)
        rows, size = checks.required(op, 0).elements // checks.required(op, 0).shape[-1], params["frame_size"]
        step, capacity = params["frame_step"], params["capacity"]
        assert isinstance(size, int) and isinstance(step, int) and isinstance(capacity, int)
        filled = size - step if op.attributes.get("prefill") else 0
        lengths = np.full(rows, filled, dtype="<i4").tobytes()
        name = op.outputs[0].name
        state = [
            lowering.state(f"{name}_samples", 2 * rows * capacity),
            lowering.state(f"{name}_lengths", 4 * rows, lengths),
        ]
        _add(op, lowering, "ts_framer", params, *state)


class Stacker(_Framing):
    """[num_channels] to the last left + 1 + right frames, and whether there are that many."""

    name = "SignalStacker"
    outputs = 2

    def params(self, op: Operator) -> dict[str, ParamValue]:
        channels = option(op, "num_channels", 1, _MOST)
        left = option(op, "stacker_left_context", 0, _MOST)
        frames = left + option(op, "stacker_right_context", 0, _MOST) + 1
        step = option(op, "stacker_step", 1, frames)
        checks.elements(op, checks.required(op, 0), channels, "input")
        checks.elements(op, op.outputs[0], channels * frames, "output")
        _check_valid(op)
        return {
            "channels": channels,
            "left_context": left,
            "size": channels * frames,
            "drop": channels * step,
        }

    def lower(self, op: Operator, lowering: Lowering) -> None:
        name = op.outputs[0].name
        state = [lowering.state(f"{name}_frames", op.outputs[0].nbytes), lowering.state(f"{name}_state", 8)]
        _add(op, lowering, "ts_stacker", self.params(op), *state)


class Delay(_Framing):
    """[..][n]: each row of the stream, ``delay_length`` samples later."""

    name = "SignalDelay"

    def params(self, op: Operator) -> dict[str, ParamValue]:
        input = checks.required(op, 0)
        checks.shape(op, op.outputs[0], input.shape, "output")
        length = input.shape[-1]
        delay = option(op, "delay_length", 0, _MOST)
        return {"rows": input.elements // length, "length": length, "delay": delay}

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input = checks.required(op, 0)
        nbytes = 2 * input.elements // input.shape[-1] * int(op.attributes.get("delay_length"))
        state = lowering.state(f"{op.outputs[0].name}_state", max(2, nbytes))
        _add(op, lowering, "ts_delay", self.params(op), state)


class OverlapAdd(_Framing):
    """[..][frames][frame_size] to [..][frames * frame_step], summed where they overlap; int16 or float32."""

    name = "SignalOverlapAdd"
    types = (DType.INT16, DType.FLOAT32)

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        input = checks.required(op, 0)
        checks.dtype(op, input, (DType.INT16, DType.FLOAT32), "input")
        checks.same_dtype(op, input, op.outputs[0])
        self.params(op)

    def params(self, op: Operator) -> dict[str, ParamValue]:
        input = checks.required(op, 0)
        if len(input.shape) < 2:
            raise checks.invalid(op, f"input {list(input.shape)} has no frames")
        *rows, frames, size = input.shape
        step = option(op, "frame_step", 1, size)
        checks.shape(op, op.outputs[0], (*rows, frames * step), "output")
        count = input.elements // (frames * size)
        return {"rows": count, "frames": frames, "frame_size": size, "frame_step": step}

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input = checks.required(op, 0)
        state = lowering.state(f"{op.outputs[0].name}_state", input.nbytes // input.shape[-2])
        kind = "f32" if input.dtype is DType.FLOAT32 else "s16"
        _add(
            op,
            lowering,
            f"ts_overlap_add_{kind}",
            self.params(op),
            state,
            params_type="ts_overlap_add_params",
        )


def _check_valid(op: Operator) -> None:
    checks.dtype(op, op.outputs[1], (DType.BOOL,), "output 1")
    checks.elements(op, op.outputs[1], 1, "output 1")


def _add(
    op: Operator,
    lowering: Lowering,
    kernel: str,
    params: dict[str, ParamValue],
    *state: Buffer,
    params_type: str | None = None,
) -> None:
    add_call(
        op,
        lowering,
        kernel,
        "framing.h",
        params=params,
        inputs=[lowering.operand(checks.required(op, 0))],
        outputs=[lowering.buffer(output) for output in op.outputs],
        params_type=params_type,
        scratch=state,
    )


OPS = (Window(), FftAutoScale(), Framer(), Stacker(), Delay(), OverlapAdd())
