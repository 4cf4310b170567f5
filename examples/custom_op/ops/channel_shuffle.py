# SPDX-License-Identifier: Apache-2.0
"""ChannelShuffle: [..][groups * n] channels to [..][n * groups], as ShuffleNet has it. Option: groups."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Operator, Options
from tinyserve.compiler.ops.signal.filter_bank import SignalAttributes, option, read_attributes
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.calls import add_call


class ChannelShuffle(Op):
    name = "ChannelShuffle"  # the custom code in the .tflite
    custom = True
    types = (DType.INT8,)

    def attributes(self, options: Options) -> SignalAttributes:
        return read_attributes(options)

    def check(self, op: Operator) -> None:
        checks.arity(op, 1)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, self.types, "input")
        checks.same_dtype(op, input, output)
        checks.same_quantization(op, input, output)
        checks.shape(op, output, input.shape, "output")
        groups = option(op, "groups", 1, 1 << 16)
        if not input.shape or input.shape[-1] % groups:
            raise checks.invalid(op, f"{groups} groups of {list(input.shape)}")

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input, groups = checks.required(op, 0), option(op, "groups", 1, 1 << 16)
        channels = input.shape[-1]
        add_call(
            op,
            lowering,
            "channel_shuffle_s8",
            "channel_shuffle.h",
            params={"pixels": input.elements // channels, "groups": groups, "size": channels // groups},
            inputs=[lowering.operand(input)],
            outputs=[lowering.buffer(op.outputs[0])],
            params_type="channel_shuffle_params",
        )


OPS = (ChannelShuffle(),)
