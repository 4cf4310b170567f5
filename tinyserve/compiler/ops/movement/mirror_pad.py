# SPDX-License-Identifier: Apache-2.0
"""MIRROR_PAD: the input surrounded by its own reflection. Kernels in ``kernels/mirror_pad.h``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.ops.elementwise.add import SUFFIX
from tinyserve.compiler.ops.movement.pad import paddings
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import dense_strides
from tinyserve.compiler.program import Constant, Params

_RANK = 6  # TS_MIRROR_PAD_RANK


@dataclass(frozen=True)
class MirrorPadAttributes:
    """``symmetric`` repeats the border itself, too; without it (reflect) the border is the mirror."""

    symmetric: bool = False


@dataclass(frozen=True)
class MirrorPadParams(Params, c_type="ts_mirror_pad_params"):
    """``positions`` of all axes, one after the other from ``starts``."""

    shape: tuple[int, ...]
    starts: tuple[int, ...]
    positions: Constant


@dataclass(frozen=True)
class MirrorPadAtParams(Params, c_type="ts_mirror_pad_at_params"):
    """``own``: 1 where the border itself is not repeated."""

    rank: int
    own: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    strides: tuple[int, ...]


class MirrorPad(OpDef):
    """``paddings`` are [rank][2] numbers of elements before and after, no more than there is to mirror."""

    name = "MIRROR_PAD"
    inputs = ("input", "paddings")
    types = SUFFIX
    limits = "up to 6 dimensions"

    def attributes(self, options: Options) -> MirrorPadAttributes:
        return MirrorPadAttributes(options.int8("mode") == 1)

    def check(self, node: Node) -> None:
        input, table, output = node.input("input"), node.input("paddings"), node.output
        checks.dtype(node, input, SUFFIX, "input")
        checks.same_dtype(node, input, output)
        checks.dtype(node, table, (DType.INT32, DType.INT64), "the table of paddings")
        checks.elements(node, table, 2 * len(input.shape), "the table of paddings")
        if len(input.shape) > _RANK:
            raise unsupported(node, f"more than {_RANK} dimensions", "reshape to fewer dimensions")
        if not table.is_constant:
            checks.rank(node, output, len(input.shape), "output")
            return
        before, after = paddings(node)
        own = 0 if node.attributes.symmetric else 1
        for extent, *amounts in zip(input.shape, before, after, strict=True):
            if any(not 0 <= amount <= extent - own for amount in amounts):
                raise checks.invalid(node, f"paddings {before} and {after} of {list(input.shape)}")
        sizes = zip(before, input.shape, after, strict=True)
        checks.shape(node, output, tuple(sum(parts) for parts in sizes), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not node.input("paddings").is_constant:
            _lower_computed(node, lowering)
            return
        input, output = node.input("input"), node.output
        mode = "symmetric" if node.attributes.symmetric else "reflect"
        positions = [np.zeros(1, dtype=np.int32)] * (_RANK - len(input.shape))
        before, after = paddings(node)
        for extent, low, high, stride in zip(
            input.shape, before, after, dense_strides(input.shape), strict=True
        ):
            places = np.arange(extent, dtype=np.int32) * stride
            positions.append(np.pad(places, (low, high), mode=mode))  # type: ignore[call-overload]
        lengths = [len(places) for places in positions]
        params = MirrorPadParams(
            shape=tuple(lengths),
            starts=tuple(int(start) for start in np.cumsum([0, *lengths[:-1]])),
            positions=lowering.constant(f"{output.name}_positions", np.concatenate(positions)),
        )
        add_call(
            node,
            lowering,
            f"ts_mirror_pad_{SUFFIX[input.dtype]}",
            "mirror_pad.h",
            params=params,
            inputs=[lowering.operand(input)],
            outputs=[lowering.buffer(output)],
        )


def _lower_computed(node: Node, lowering: Lowering) -> None:
    input, table, output = node.input("input"), node.input("paddings"), node.output
    leading = (1,) * (_RANK - len(input.shape))
    params = MirrorPadAtParams(
        rank=len(input.shape),
        own=0 if node.attributes.symmetric else 1,
        input_shape=leading + input.shape,
        output_shape=leading + output.shape,
        strides=leading + dense_strides(input.shape),
    )
    kind = "s64" if table.dtype is DType.INT64 else "s32"
    add_call(
        node,
        lowering,
        f"ts_mirror_pad_{SUFFIX[input.dtype]}_at_{kind}",
        "mirror_pad.h",
        params=params,
        inputs=[lowering.operand(input), lowering.operand(table)],
        outputs=[lowering.buffer(output)],
    )


OPS = (MirrorPad(),)
