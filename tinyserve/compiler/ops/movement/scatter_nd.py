# SPDX-License-Identifier: Apache-2.0
"""SCATTER_ND: slices added to zeros. Kernels in ``kernels/scatter_nd.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.movement.slice import integers
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.strided_copy import dense_strides
from tinyserve.compiler.program import Params

_RANK = 6  # TS_SCATTER_ND_RANK
_SUFFIX = {DType.INT8: "s8", DType.INT32: "s32", DType.FLOAT32: "f32"}


@dataclass(frozen=True)
class ScatterNdParams(Params, c_type="ts_scatter_nd_params"):
    """``count`` positions of ``depth`` numbers; a ``slice`` is what each moves."""

    count: int
    depth: int
    slice: int
    elements: int
    extents: tuple[int, ...]
    strides: tuple[int, ...]


class ScatterNd(OpDef):
    """Positions [..][depth], updates [..][remaining dimensions]. TFLM lacks the operator: LiteRT says what it
    gives, and refuses positions outside, which add nothing here."""

    name = "SCATTER_ND"
    inputs = ("positions", "updates", "shape")
    types = _SUFFIX
    limits = "int32 positions; constant shape"

    def check(self, node: Node) -> None:
        positions, updates, output = node.input("positions"), node.input("updates"), node.output
        checks.dtype(node, positions, (DType.INT32,), "positions")
        checks.dtype(node, updates, _SUFFIX, "updates")
        checks.same_dtype(node, updates, output)
        checks.shape(node, output, tuple(integers(node, "shape", "the shape")), "output")
        if not positions.shape or not 1 <= positions.shape[-1] <= len(output.shape):
            raise checks.invalid(node, f"positions {list(positions.shape)} into {list(output.shape)}")
        depth = positions.shape[-1]
        if depth > _RANK:
            raise unsupported(node, f"positions of more than {_RANK} numbers", "reshape to fewer dimensions")
        wanted = positions.elements // depth * math.prod(output.shape[depth:])
        checks.elements(node, updates, wanted, "updates")

    def lower(self, node: Node, lowering: Lowering) -> None:
        positions, updates, output = node.input("positions"), node.input("updates"), node.output
        depth = positions.shape[-1]
        params = ScatterNdParams(
            count=positions.elements // depth,
            depth=depth,
            slice=math.prod(output.shape[depth:]),
            elements=output.elements,
            extents=_padded(output.shape[:depth]),
            strides=_padded(dense_strides(output.shape)[:depth]),
        )
        add_call(
            node,
            lowering,
            f"ts_scatter_nd_{_SUFFIX[updates.dtype]}",
            "scatter_nd.h",
            params=params,
            inputs=[lowering.operand(positions), lowering.operand(updates)],
            outputs=[lowering.buffer(output)],
        )


def _padded(values: tuple[int, ...]) -> tuple[int, ...]:
    return (*values, *(1,) * (_RANK - len(values)))


OPS = (ScatterNd(),)
