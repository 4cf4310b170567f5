# SPDX-License-Identifier: Apache-2.0
"""ADD_N: the sum of several inputs. Kernels in ``kernels/add_n.h``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.reduction.cumsum import SumRescaling, sum_fields, sum_rescaling
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT8: "s8", DType.FLOAT32: "f32"}
_MOST_INPUTS = 1 << 8


@dataclass(frozen=True)
class AddNParams(Params, c_type="ts_add_n_params"):
    """``first``: 1 for the input that the sums begin with."""

    elements: int
    first: int
    rescaling: SumRescaling


class AddN(OpDef):
    """Inputs of one shape and one quantization. int8 is summed in a scratch buffer of int32."""

    name = "ADD_N"
    inputs = ("input1", "input2", "more*")
    types = _SUFFIX

    def check(self, node: Node) -> None:
        first, output = node.input("input1"), node.output
        checks.dtype(node, first, _SUFFIX, "input")
        for tensor in node.operands():
            checks.same_dtype(node, first, tensor, output)
            checks.shape(node, tensor, output.shape, "an input")
            if first.dtype is DType.INT8:
                checks.same_quantization(node, first, tensor)
        if first.dtype is DType.INT8:
            checks.per_tensor(node, first, output)
            sum_rescaling(node, first, output)

    def lower(self, node: Node, lowering: Lowering) -> None:
        output, kind = node.output, _SUFFIX[node.output.dtype]
        rescaling = sum_fields(node, node.input("input1"), output)
        params = AddNParams(output.elements, 1, rescaling)
        sums = target = lowering.buffer(output)
        if output.dtype is DType.INT8:
            size = f"TS_ADD_N_SUMS_BYTES({output.elements})"
            sums = lowering.scratch(f"{output.name}_sums", 4 * output.elements, size=size)
        for index, tensor in enumerate(node.operands()):
            add_call(
                node,
                lowering,
                f"ts_add_n_{kind}",
                "add_n.h",
                params=replace(params, first=int(index == 0)),
                inputs=[lowering.operand(tensor)],
                outputs=[sums] if index == 0 else [],
                scratch=[sums] if index else [],
            )
        if sums is not target:
            add_call(
                node, lowering, "ts_add_n_finish_s8", "add_n.h", params=params, inputs=[sums],
                outputs=[target],
            )  # fmt: skip


OPS = (AddN(),)
