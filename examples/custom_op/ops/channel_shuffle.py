# SPDX-License-Identifier: Apache-2.0
"""ChannelShuffle: [..][groups * n] channels to [..][n * groups], as ShuffleNet has it. Option: groups."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.custom_options import CustomAttributes, option, read_attributes
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class ChannelShuffleParams(Params, c_type="channel_shuffle_params"):  # the struct in channel_shuffle.h
    pixels: int
    groups: int
    size: int


class ChannelShuffle(OpDef):
    name = "ChannelShuffle"  # the custom code in the .tflite
    custom = True
    types = (DType.INT8,)

    def attributes(self, options: Options) -> CustomAttributes:
        return read_attributes(options)

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, self.types, "input")
        checks.same_dtype(node, input, output)
        checks.same_quantization(node, input, output)
        checks.shape(node, output, input.shape, "output")
        groups = option(node, "groups", 1, 1 << 16)
        if not input.shape or input.shape[-1] % groups:
            raise checks.invalid(node, f"{groups} groups of {list(input.shape)}")

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, groups = node.input("input"), option(node, "groups", 1, 1 << 16)
        channels = input.shape[-1]
        add_call(
            node,
            lowering,
            "channel_shuffle_s8",
            "channel_shuffle.h",
            params=ChannelShuffleParams(input.elements // channels, groups, channels // groups),
            inputs=[lowering.operand(input)],
            outputs=[lowering.buffer(node.output)],
        )


OPS = (ChannelShuffle(),)
