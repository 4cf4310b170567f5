# SPDX-License-Identifier: Apache-2.0
"""What elementwise operators of two broadcasting inputs share. No operator by itself."""

from __future__ import annotations

from collections.abc import Mapping

from tinyserve.compiler.graph.rows import SAME_ROWS, RowRule, differs_by_row, has_rows, row_axis
from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.broadcast import Broadcast, broadcast_overlaps, check_broadcast
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.program import Params

QUANTIZED = (DType.INT8, DType.INT16)


class Binary(OpDef):
    """Calls ``ts_<kernel>_<suffix>`` of ``<header>.h`` on two inputs of one type."""

    inputs = ("input1", "input2")
    kernel: str
    header: str
    limits = "up to 6 dimensions"
    suffixes: Mapping[DType, str]
    output_dtype: DType | None = None  # None: that of the inputs

    def check(self, node: Node) -> None:
        input1, input2, output = node.input("input1"), node.input("input2"), node.output
        checks.dtype(node, input1, self.suffixes, "input")
        checks.same_dtype(node, input1, input2)
        checks.dtype(node, output, (self.output_dtype or input1.dtype,), "output")
        check_broadcast(node, input1, input2)
        self.check_values(node)

    def check_values(self, node: Node) -> None:
        """Raises UnsupportedError for quantization or attributes that the kernel does not take."""

    def rows(self, node: Node) -> RowRule | None:
        """Where what is computed has the output's rows, and constants are the same for all rows."""
        axis = row_axis(node.output)
        same = all(
            not differs_by_row(tensor, node.output)
            if tensor.is_constant
            else has_rows(tensor) and tensor.shape[axis] == node.output.shape[axis]
            for tensor in node.operands()
        )
        return SAME_ROWS if same else None

    def params(self, node: Node, broadcast: Broadcast) -> Params:
        """The kernel's parameters."""
        raise NotImplementedError

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not lowering.lower_variant(self.header, node):
            function = f"ts_{self.kernel}_{self.suffixes[node.operands()[0].dtype]}"
            self.add(node, lowering, Kernel(function, f"{self.header}.h"))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel) -> None:
        """Appends the call of a kernel that takes the portable kernels' parameters."""
        inputs = node.operands()
        sources = [lowering.operand(tensor) for tensor in inputs]
        target = lowering.buffer(node.output)
        add_call(
            node,
            lowering,
            kernel.function,
            kernel.header,
            params=self.params(node, Broadcast.of(inputs[0], inputs[1], node.output)),
            inputs=sources,
            outputs=[target],
            overlaps=broadcast_overlaps(node, inputs, sources, target),
            variant=kernel.variant,
            reason=kernel.reason,
        )
