# SPDX-License-Identifier: Apache-2.0
"""How rows of an operator's output depend on rows of its inputs: what bands of layers need to know of it.

Of an image of one row (signals, text: 1-D models) the columns are taken for rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tinyserve.compiler.graph.types import Node, Tensor


@dataclass(frozen=True)
class RowRule:
    """Output row y reads ``reach`` input rows from ``y * stride // up - pad`` on; those outside of the input
    are padding. ``up``: output rows per input row where an operator makes more of them; first rows of a step
    are multiples of it then. ``gathers``: a step takes input rows in, and the only output row is there
    after the last one. ``fills``: rows may be of padding alone."""

    reach: int = 1
    stride: int = 1
    pad: int = 0
    up: int = 1
    gathers: bool = False
    fills: bool = False

    def span(self, first: int, count: int) -> tuple[int, int]:
        """The input rows that so many output rows read, not cut at the input's edges: start and end."""
        start = first * self.stride // self.up - self.pad
        return start, start + (count - 1) * self.stride // self.up + self.reach


@dataclass(frozen=True)
class Slab:
    """Some rows of an operator's output, and the rows of its inputs that they need.

    ``inputs`` are as many as lie inside; ``above`` and ``below`` are rows of padding around them. Where rows
    are gathered, ``begins`` and ``ends`` say whether they are the first and the last.
    """

    inputs: int
    outputs: int
    above: int = 0
    below: int = 0
    begins: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Share:
    """Some of the ``height`` rows, along ``axis``, that a reduction takes in: whether they are the first and
    the last, and what it keeps from one step to the next."""

    begins: bool
    ends: bool
    height: int
    axis: int
    running: Tensor


SAME_ROWS = RowRule()
GATHERED = RowRule(gathers=True)


ROWS, COLUMNS = 1, 2


def row_axis(tensor: Tensor) -> int:
    """Along which axis of a whole tensor its rows are counted."""
    one_row = len(tensor.shape) == 4 and tensor.shape[ROWS] == 1 and tensor.shape[COLUMNS] > 1
    return COLUMNS if one_row else ROWS


def is_line(node: Node) -> bool:
    """Whether an operator of whole images works on images of one row."""
    images = [tensor for tensor in (*takes_rows(node), node.output) if tensor is not None]
    return any(row_axis(tensor) == COLUMNS for tensor in images)


def along_one_axis(images: Iterable[Tensor]) -> bool:
    """Whether the rows of all of these are counted along one axis."""
    return len({row_axis(tensor) for tensor in images if height(tensor) > 1}) <= 1


def height(tensor: Tensor) -> int:
    """Rows of a whole tensor [1][rows][columns][channels], or columns of one that has one row."""
    return tensor.shape[row_axis(tensor)]


def lines(node: Node, rule: RowRule) -> int:
    """The rows that steps of an operator count: of its output, or, where it gathers them, of its input."""
    return height(node.inputs[0] or node.output) if rule.gathers else height(node.output)


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


def differs_by_row(constant: Tensor, image: Tensor) -> bool:
    """Whether a constant that is broadcast to an image has rows of its own."""
    from_end = len(image.shape) - row_axis(image)
    return len(constant.shape) >= from_end and constant.shape[-from_end] > 1


def with_rows(tensor: Tensor, rows: int) -> Tensor:
    """The whole tensor cut to so many rows."""
    shape = list(tensor.shape)
    shape[row_axis(tensor)] = rows
    return replace(tensor, shape=tuple(shape))


def slab_node(node: Node, slab: Slab, attributes: Any) -> Node:
    """The operator on some rows."""
    return replace(
        node,
        inputs=_cut_inputs(node, slab),
        outputs=[with_rows(node.output, slab.outputs)],
        attributes=attributes,
    )


def share_node(node: Node, slab: Slab, attributes: Any) -> Node:
    """The operator that takes some rows in."""
    return replace(node, inputs=_cut_inputs(node, slab), attributes=attributes)


def _cut_inputs(node: Node, slab: Slab) -> list[Tensor | None]:
    return [
        tensor if rows is None or tensor is None else with_rows(tensor, slab.inputs)
        for tensor, rows in zip(node.inputs, takes_rows(node), strict=True)
    ]
