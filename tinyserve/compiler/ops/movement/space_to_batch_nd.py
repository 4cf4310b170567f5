# SPDX-License-Identifier: Apache-2.0
"""SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: how dilated convolutions are exported. Kernels in
``kernels/space_to_batch_nd.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import Params

_SUFFIX = {DType.INT8: "s8", DType.FLOAT32: "f32"}
_LIMIT = 1 << 16


@dataclass(frozen=True)
class BlockFields(Params):
    """Blocks, and what lies before the image."""

    block_height: int
    block_width: int
    top: int
    left: int


@dataclass(frozen=True)
class SpaceToBatchNdParams(Params, c_type="ts_space_to_batch_nd_params"):
    """The kernel sets ``block`` where it is computed."""

    input_batches: int
    input_height: int
    input_width: int
    depth: int
    output_batches: int
    output_height: int
    output_width: int
    value: int
    block: BlockFields


@dataclass(frozen=True)
class SpaceToBatchNdAtParams(Params, c_type="ts_space_to_batch_nd_at_params"):
    shapes: SpaceToBatchNdParams
    spatial: int


@dataclass(frozen=True)
class _Block:
    """Height and width of blocks, and what is padded or cropped: ((top, bottom), (left, right))."""

    size: tuple[int, int]
    borders: tuple[tuple[int, int], tuple[int, int]]

    def params(self) -> BlockFields:
        (height, width), ((top, _), (left, _)) = self.size, self.borders
        return BlockFields(height, width, top, left)


class SpaceToBatchNd(OpDef):
    """Input of rank 4, or 3 (no width); inputs 1 and 2 are the block sizes and paddings."""

    name = "SPACE_TO_BATCH_ND"
    inputs = ("input", "block", "borders")
    types = _SUFFIX
    limits = "3 or 4 dimensions"
    kernel = "space_to_batch_nd"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, _SUFFIX, "input")
        checks.same_dtype(node, input, output)
        if len(input.shape) not in (3, 4):
            raise unsupported(node, f"an input with {len(input.shape)} dimensions", "use 3 or 4")
        checks.rank(node, output, len(input.shape), "output")
        if input.dtype is DType.INT8:
            checks.same_quantization(node, input, output, 1e-6)
        if _computed(node):
            _check_tables(node, (DType.INT32,))
            if input.shape[-1] != output.shape[-1]:
                raise checks.invalid(node, f"shapes {list(input.shape)} and {list(output.shape)}")
            return
        space, batch = self.ends(node)
        block = _block(node)
        sizes = [extent + sum(borders) for extent, borders in self.padded(space, block)]
        if any(size % side for size, side in zip(sizes, block.size, strict=True)):
            raise checks.invalid(node, f"{sizes} is not made of blocks of {list(block.size)}")
        rows, columns = (size // side for size, side in zip(sizes, block.size, strict=True))
        wanted = (_image(space)[0] * block.size[0] * block.size[1], rows, columns, _image(space)[3])
        if _image(batch) != wanted:
            raise checks.invalid(node, f"shapes {list(input.shape)} and {list(output.shape)}")

    def ends(self, node: Node) -> tuple[Tensor, Tensor]:
        """The tensor in space and the one in batches."""
        return node.input("input"), node.output

    def padded(self, space: Tensor, block: _Block) -> list[tuple[int, tuple[int, int]]]:
        """Height and width in space, each with what lies around them in blocks."""
        _, height, width, _ = _image(space)
        return [(height, block.borders[0]), (width, block.borders[1])]

    def lower(self, node: Node, lowering: Lowering) -> None:
        input, output = node.input("input"), node.output
        computed = _computed(node)
        value = output.zero_point if output.dtype is DType.INT8 else 0
        block = BlockFields(0, 0, 0, 0) if computed else _block(node).params()
        shapes = SpaceToBatchNdParams(*_image(input), *_image(output)[:3], value, block)
        form, inputs = "", [lowering.operand(input)]
        params: Params = shapes
        if computed:
            form, inputs = "_at", [lowering.operand(tensor) for tensor in node.operands()]
            params = SpaceToBatchNdAtParams(shapes, len(input.shape) - 2)
        add_call(
            node,
            lowering,
            f"ts_{self.kernel}_{_SUFFIX[input.dtype]}{form}",
            "space_to_batch_nd.h",
            params=params,
            inputs=inputs,
            outputs=[lowering.buffer(output)],
        )


class BatchToSpaceNd(SpaceToBatchNd):
    """The way back; input 2 says what is cropped."""

    name = "BATCH_TO_SPACE_ND"
    kernel = "batch_to_space_nd"

    def ends(self, node: Node) -> tuple[Tensor, Tensor]:
        return node.output, node.input("input")


def _image(tensor: Tensor) -> tuple[int, int, int, int]:
    """Batches, height, width and depth; rank 3 has no width."""
    batches, height, *width, depth = tensor.shape
    return batches, height, width[0] if width else 1, depth


def _computed(node: Node) -> bool:
    return not (node.input("block").is_constant and node.input("borders").is_constant)


def _check_tables(node: Node, kinds: tuple[DType, ...]) -> None:
    sizes, borders = node.input("block"), node.input("borders")
    spatial = len(node.input("input").shape) - 2
    for tensor, count, role in ((sizes, spatial, "block sizes"), (borders, 2 * spatial, "paddings or crops")):
        checks.dtype(node, tensor, kinds, role)
        checks.elements(node, tensor, count, role)


def _block(node: Node) -> _Block:
    _check_tables(node, (DType.INT32, DType.INT64))
    sizes, borders = node.input("block"), node.input("borders")
    spatial = len(node.input("input").shape) - 2
    block = [int(value) for value in np.asarray(sizes.data).reshape(-1)]
    around = [(int(low), int(high)) for low, high in np.asarray(borders.data).reshape(-1, 2)]
    if any(not 1 <= side <= _LIMIT for side in block) or any(
        not 0 <= amount <= _LIMIT for pair in around for amount in pair
    ):
        raise checks.invalid(node, f"blocks {block} with {around} around them")
    if spatial == 1:
        return _Block((block[0], 1), (around[0], (0, 0)))
    return _Block((block[0], block[1]), (around[0], around[1]))


OPS = (SpaceToBatchNd(), BatchToSpaceNd())
