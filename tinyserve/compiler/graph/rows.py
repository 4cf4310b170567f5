# SPDX-License-Identifier: Apache-2.0
"""How rows of an operator's output depend on rows of its inputs: what bands of layers need to know of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tinyserve.compiler.graph.types import Node, Tensor


@dataclass(frozen=True)
class RowRule:
    """Output row y reads ``reach`` input rows from ``y * stride // up - pad`` on; those outside of the input
    are padding. ``up``: output rows per input row where an operator makes more of them; first rows of a step
    are multiples of it then."""

    reach: int = 1
    stride: int = 1
    pad: int = 0
    up: int = 1

    def span(self, first: int, count: int) -> tuple[int, int]:
        """The input rows that so many output rows read, not cut at the input's edges: start and end."""
        start = first * self.stride // self.up - self.pad
        return start, start + (count - 1) * self.stride // self.up + self.reach


@dataclass(frozen=True)
class Slab:
    """Some rows of an operator's output, and the rows of its inputs that they need.

    ``inputs`` are as many as lie inside; ``above`` and ``below`` are rows of padding around them.
    """

    inputs: int
    outputs: int
    above: int
    below: int


SAME_ROWS = RowRule()


def height(tensor: Tensor) -> int:
    """Rows of a tensor [1][rows][columns][channels]."""
    return tensor.shape[1]


def row_bytes(tensor: Tensor) -> int:
    """Bytes of one row."""
    return tensor.nbytes // max(1, height(tensor))


def has_rows(tensor: Tensor) -> bool:
    """Whether the tensor is one image, whose rows lie one after the other."""
    return len(tensor.shape) == 4 and tensor.shape[0] == 1 and min(tensor.shape) > 0


def takes_rows(node: Node) -> list[Tensor | None]:
    """Of each input that is read row by row the tensor; None for constants, which are read as a whole."""
    return [None if tensor is None or tensor.is_constant else tensor for tensor in node.inputs]


def rows_of_elementwise(node: Node) -> RowRule | None:
    """Of an operator that goes through the elements of its ``input``: row by row, unless it changes shape."""
    return SAME_ROWS if node.input("input").shape == node.output.shape else None


def differs_by_row(constant: Tensor) -> bool:
    """Whether a constant that is broadcast to an image has rows of its own."""
    return len(constant.shape) >= 3 and constant.shape[-3] > 1


def with_rows(tensor: Tensor, rows: int) -> Tensor:
    """The tensor cut to so many rows."""
    return replace(tensor, shape=(1, rows, *tensor.shape[2:]))


def slab_node(node: Node, slab: Slab, attributes: Any) -> Node:
    """The operator on some rows."""
    inputs = [
        tensor if rows is None or tensor is None else with_rows(tensor, slab.inputs)
        for tensor, rows in zip(node.inputs, takes_rows(node), strict=True)
    ]
    return replace(node, inputs=inputs, outputs=[with_rows(node.output, slab.outputs)], attributes=attributes)
