# SPDX-License-Identifier: Apache-2.0
"""What the feature operators share: integer options, float32 operands, one kernel call each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node, Options, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.compiler.ops.support.calls import Kernel, add_call
from tinyserve.compiler.ops.support.custom_options import CustomAttributes, read_attributes
from tinyserve.compiler.program import Buffer, Operand, Overlap, Params

MOST = 1 << 20  # samples, taps, bands


class FeatureOp(OpDef):
    """Base of operators whose inputs after the first are constants, in float32 unless ``types`` says else."""

    custom = True
    types: Collection[DType] = (DType.FLOAT32,)
    kernel = ""
    header = ""
    variants = ""
    """The module of kernels for single instruction sets, where there are any."""

    def attributes(self, options: Options) -> CustomAttributes:
        return read_attributes(options)

    def check(self, node: Node) -> None:
        checks.dtype(node, node.input("input"), self.types, "input")
        checks.same_dtype(node, node.input("input"), node.output)
        if not node.input("input").shape:
            raise checks.invalid(node, "its input is a scalar")
        self.params(node)

    def params(self, node: Node) -> Params:
        """The kernel's numbers. Raises ModelError for options and shapes that contradict each other."""
        raise NotImplementedError

    def operands(self, node: Node, lowering: Lowering) -> Sequence[Operand]:
        """What the kernel reads, in its order."""
        return [lowering.operand(tensor) for tensor in node.operands()]

    def working(self, node: Node, lowering: Lowering) -> Sequence[Buffer | None]:
        """State and scratch, in the order in which the kernel takes them."""
        return ()

    def overlaps(self, node: Node, lowering: Lowering) -> Sequence[Overlap]:
        """Where the output may lie over the input."""
        return ()

    def function(self, node: Node) -> str:
        """The kernel's name."""
        return self.kernel

    def lower(self, node: Node, lowering: Lowering) -> None:
        if not (self.variants and lowering.lower_variant(self.variants, node)):
            self.add(node, lowering, Kernel(self.function(node), self.header))

    def add(self, node: Node, lowering: Lowering, kernel: Kernel, sources: tuple[str, ...] = ()) -> None:
        """The call of a kernel that takes what the portable one takes."""
        add_call(
            node,
            lowering,
            kernel.function,
            kernel.header,
            params=self.params(node),
            inputs=self.operands(node, lowering),
            outputs=[lowering.buffer(node.output)],
            scratch=self.working(node, lowering),
            overlaps=self.overlaps(node, lowering),
            variant=kernel.variant,
            reason=kernel.reason,
            sources=sources,
        )


def constant(node: Node, name: str, dtype: DType, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The values of a constant input. Raises ModelError for another type or shape, and what is not finite."""
    tensor = node.input(name)
    checks.dtype(node, tensor, (dtype,), name)
    checks.constant(node, tensor, name)
    checks.shape(node, tensor, shape, name)
    assert tensor.data is not None
    if not np.isfinite(tensor.data).all():
        raise checks.invalid(node, f"{name} has values that are not finite")
    return tensor.data


def samples_of(node: Node, width: int) -> int:
    """How many samples of ``width`` values the input has. Raises ModelError where it has no whole number."""
    tensor: Tensor = node.input("input")
    if tensor.elements % width:
        raise checks.invalid(node, f"{tensor.elements} values are no samples of {width}")
    return tensor.elements // width
