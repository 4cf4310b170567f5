# SPDX-License-Identifier: Apache-2.0
"""Kernel calls in the form that all operators share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.program import Buffer, KernelCall, Operand, Overlap, Params


@dataclass(frozen=True)
class Kernel:
    """A function in a header; which variant it is, and why it applies."""

    function: str
    header: str
    variant: str = "portable"
    reason: str = ""


def add_call(
    node: Node,
    lowering: Lowering,
    function: str,
    header: str,
    *,
    params: Params,
    inputs: Sequence[Operand | None],
    outputs: Sequence[Buffer],
    overlaps: Sequence[Overlap] = (),
    scratch: Sequence[Buffer | None] = (),
    macs: int = 0,
    variant: str = "portable",
    reason: str = "",
    sources: tuple[str, ...] = (),
    code: tuple[str, ...] = (),
) -> None:
    """Appends ``function(&params, inputs..., outputs..., scratch...)``; None is passed as NULL."""
    if not isinstance(params, Params):  # an operator from outside is not type-checked
        raise TypeError(f"params of {function} must be a record: class YourParams(Params, c_type=...)")
    working = [buffer for buffer in scratch if buffer is not None]
    lowering.call(
        KernelCall(
            function=function,
            header=header,
            params=params,
            args=[*inputs, *outputs, *scratch],
            reads=[operand for operand in inputs if isinstance(operand, Buffer)] + working,
            writes=[*outputs, *working],
            layer=node.output.name,
            op=node.name,
            comment=shapes(node),
            macs=macs,
            overlaps=list(overlaps),
            variant=variant,
            reason=reason,
            sources=sources,
            code=code,
        )
    )


def shapes(node: Node) -> str:
    """What goes in and comes out: ``1x8x8x3 int8, 4x3x3x3 int8 -> 1x8x8x4 int8``."""
    inputs = ", ".join(_shape(tensor) for tensor in node.inputs if tensor is not None)
    return f"{inputs} -> {', '.join(_shape(tensor) for tensor in node.outputs)}"


def _shape(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'scalar'} {tensor.dtype.value}"
