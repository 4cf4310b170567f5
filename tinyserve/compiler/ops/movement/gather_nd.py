# SPDX-License-Identifier: Apache-2.0
"""GATHER_ND, EMBEDDING_LOOKUP and DYNAMIC_UPDATE_SLICE. Kernels in ``kernels/gather_nd.h``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.support.move import move
from tinyserve.compiler.ops.support.strided_copy import dense_strides
from tinyserve.compiler.program import Params

_RANK = 6  # TS_GATHER_ND_RANK
_SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.INT32: "s32", DType.FLOAT32: "f32"}


@dataclass(frozen=True)
class GatherNdParams(Params, c_type="ts_gather_nd_params"):
    """As ``ScatterNdParams``."""

    count: int
    depth: int
    slice: int
    extents: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class EmbeddingLookupParams(Params, c_type="ts_embedding_lookup_params"):
    count: int
    rows: int
    columns: int
    scale: float


@dataclass(frozen=True)
class DynamicUpdateSliceParams(Params, c_type="ts_dynamic_update_slice_params"):
    """``elements``: of the update."""

    rank: int
    elements: int
    extents: tuple[int, ...]
    strides: tuple[int, ...]
    update_extents: tuple[int, ...]


class GatherNd(OpDef):
    """Positions [..][depth] to [..] slices of the input's remaining dimensions."""

    name = "GATHER_ND"
    inputs = ("input", "positions")
    types = (DType.INT8, DType.FLOAT32)
    limits = "int32 positions"

    def check(self, node: Node) -> None:
        input, positions, output = node.input("input"), node.input("positions"), node.output
        checks.dtype(node, input, (DType.INT8, DType.FLOAT32), "input")
        checks.same_dtype(node, input, output)
        checks.dtype(node, positions, (DType.INT32,), "positions")
        if not positions.shape or not 1 <= positions.shape[-1] <= min(len(input.shape), _RANK):
            raise checks.invalid(node, f"positions {list(positions.shape)} into {list(input.shape)}")
        depth = positions.shape[-1]
        count = positions.elements // depth
        checks.elements(node, output, count * math.prod(input.shape[depth:]), "output")

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, positions, output = node.input("input"), node.input("positions"), node.output
        depth = positions.shape[-1]
        params = GatherNdParams(
            count=positions.elements // depth,
            depth=depth,
            slice=math.prod(input.shape[depth:]),
            extents=_six(input.shape[:depth]),
            strides=_six(dense_strides(input.shape)[:depth]),
        )
        add_call(
            node,
            lowering,
            f"ts_gather_nd_{_SUFFIX[input.dtype]}",
            "gather_nd.h",
            params=params,
            inputs=[lowering.operand(input), lowering.operand(positions)],
            outputs=[lowering.buffer(output)],
        )


class EmbeddingLookup(OpDef):
    """Positions [n] to rows of a table; an int8 table may become float32."""

    name = "EMBEDDING_LOOKUP"
    inputs = ("positions", "table")
    types = (DType.INT8, DType.FLOAT32)
    limits = "int32 positions; int8 tables with float32 output too"

    def check(self, node: Node) -> None:
        positions, table, output = node.input("positions"), node.input("table"), node.output
        checks.dtype(node, positions, (DType.INT32,), "positions")
        checks.rank(node, positions, 1, "positions")
        checks.dtype(node, table, (DType.INT8, DType.FLOAT32), "the table")
        if len(table.shape) < 2:
            raise checks.invalid(node, f"a table of shape {list(table.shape)}")
        checks.elements(node, output, positions.elements * (table.elements // table.shape[0]), "output")
        if (table.dtype, output.dtype) == (DType.INT8, DType.FLOAT32):
            checks.per_tensor(node, table)
            checks.symmetric(node, table)
        else:
            checks.same_dtype(node, table, output)

    def lower(self, node: Node, lowering: Lowering) -> None:
        positions, table, output = node.input("positions"), node.input("table"), node.output
        rows, columns = table.shape[0], table.elements // table.shape[0]
        operands = [lowering.operand(positions), lowering.operand(table)]
        outputs = [lowering.buffer(output)]
        if table.dtype is not output.dtype:
            lookup = EmbeddingLookupParams(positions.elements, rows, columns, table.scale)
            add_call(
                node, lowering, "ts_embedding_lookup_s8_f32", "gather_nd.h", params=lookup, inputs=operands,
                outputs=outputs,
            )  # fmt: skip
            return
        params = GatherNdParams(positions.elements, 1, columns, _six((rows,)), _six((columns,)))
        add_call(
            node, lowering, f"ts_gather_nd_{_SUFFIX[table.dtype]}", "gather_nd.h", params=params,
            inputs=operands[::-1], outputs=outputs,
        )  # fmt: skip


class DynamicUpdateSlice(OpDef):
    """The input with the update written over it at the start, moved inside where it would reach out."""

    name = "DYNAMIC_UPDATE_SLICE"
    inputs = ("input", "update", "start")
    types = _SUFFIX

    def check(self, node: Node) -> None:
        input, update, start = node.operands()
        checks.dtype(node, input, _SUFFIX, "input")
        checks.same_dtype(node, input, update, node.output)
        checks.dtype(node, start, (DType.INT32, DType.INT64), "the start")
        checks.shape(node, node.output, input.shape, "output")
        checks.shape(node, start, (len(input.shape),), "the start")
        checks.rank(node, update, len(input.shape), "the update")
        if len(input.shape) > _RANK:
            raise unsupported(node, f"more than {_RANK} dimensions", "reshape to fewer dimensions")
        if any(part > extent for part, extent in zip(update.shape, input.shape, strict=True)):
            raise checks.invalid(node, f"an update of shape {list(update.shape)} in {list(input.shape)}")

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, update, start = node.operands()
        output = lowering.buffer(node.output)
        lowering.call(move(lowering.operand(input), output, f"{node.output.name}_before"))
        params = DynamicUpdateSliceParams(
            rank=len(input.shape),
            elements=update.elements,
            extents=_six(input.shape),
            strides=_six(dense_strides(input.shape)),
            update_extents=_six(update.shape),
        )
        wide = "_at_s64" if start.dtype is DType.INT64 else ""
        add_call(
            node,
            lowering,
            f"ts_dynamic_update_slice_{_SUFFIX[input.dtype]}{wide}",
            "gather_nd.h",
            params=params,
            inputs=[lowering.operand(update), lowering.operand(start)],
            outputs=[],
            scratch=[output],
        )


def _six(values: tuple[int, ...]) -> tuple[int, ...]:
    return values + (1,) * (_RANK - len(values))


OPS = (GatherNd(), EmbeddingLookup(), DynamicUpdateSlice())
