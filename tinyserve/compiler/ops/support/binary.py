# SPDX-License-Identifier: Apache-2.0
"""What elementwise operators of two broadcasting inputs share. No operator by itself."""

from __future__ import annotations

from collections.abc import Mapping

from tinyserve.compiler.graph.types import DType, Operator, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.compiler.ops.support.broadcast import broadcast_overlaps, broadcast_params, check_broadcast
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import ParamValue

QUANTIZED = (DType.INT8, DType.INT16)


class Binary(Op):
    """Calls ``ts_<kernel>_<suffix>`` of ``<header>.h`` on two inputs of one type.

    ``params_of`` names the parameter struct (``ts_<...>_params``) of each type's kernel.
    """

    kernel: str
    header: str
    limits = "up to 6 dimensions"
    suffixes: Mapping[DType, str]
    params_of: Mapping[DType, str]
    output_dtype: DType | None = None  # None: that of the inputs

    def check(self, op: Operator) -> None:
        checks.arity(op, 2)
        input1, input2, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
        checks.dtype(op, input1, self.suffixes, "input")
        checks.same_dtype(op, input1, input2)
        checks.dtype(op, output, (self.output_dtype or input1.dtype,), "output")
        check_broadcast(op, input1, input2)
        self.check_values(op)

    def check_values(self, op: Operator) -> None:
        """Raises UnsupportedError for quantization or attributes that the kernel does not take."""

    def params(self, op: Operator) -> dict[str, ParamValue]:
        """The fields beyond the broadcast."""
        return {}

    def lower(self, op: Operator, lowering: Lowering) -> None:
        if lowering.lower_variant(self.header, op):
            return
        inputs: list[Tensor] = [checks.required(op, 0), checks.required(op, 1)]
        sources = [lowering.operand(tensor) for tensor in inputs]
        target = lowering.buffer(op.outputs[0])
        dtype = inputs[0].dtype
        add_call(
            op,
            lowering,
            f"ts_{self.kernel}_{self.suffixes[dtype]}",
            f"{self.header}.h",
            params={**broadcast_params(inputs[0], inputs[1], op.outputs[0]), **self.params(op)},
            inputs=sources,
            outputs=[target],
            params_type=f"ts_{self.params_of[dtype]}_params",
            overlaps=broadcast_overlaps(op, inputs, sources, target),
        )
