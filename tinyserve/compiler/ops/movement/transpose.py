# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE, DEPTH_TO_SPACE, SPACE_TO_DEPTH and BROADCAST_TO: the input walked in another order."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node, Options
from tinyserve.compiler.ops.movement.slice import integers, resolved_axis
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.broadcast import MAX_RANK, check_broadcast, element_strides
from tinyserve.compiler.ops.support.strided_copy import SUFFIX, Walk, add_copy, dense, dense_strides


class _Reordering(OpDef):
    """Copies the input, walked as ``order(node)`` says, to a dense output."""

    def order(self, node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Extents of the output (perhaps split in more dimensions) and the input's strides along them."""
        raise NotImplementedError

    def lower(self, node: Node, lowering: Lowering) -> None:
        extents, strides = self.order(node)
        add_copy(
            node,
            lowering,
            node.input("input"),
            node.output,
            shape=extents,
            source=Walk(0, strides),
            target=dense(extents),
        )


class Transpose(_Reordering):
    """The second input holds the permutation."""

    name = "TRANSPOSE"
    inputs = ("input", "permutation")
    types = SUFFIX
    limits = "up to 6 dimensions; a constant permutation"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, SUFFIX, "input")
        checks.same_dtype(node, input, output)
        if len(input.shape) > MAX_RANK:
            raise unsupported(node, f"more than {MAX_RANK} dimensions", "reshape to fewer dimensions")
        permutation = integers(node, "permutation", "the permutation", len(input.shape))
        axes = [resolved_axis(node, axis, len(input.shape)) for axis in permutation]
        if sorted(axes) != list(range(len(input.shape))):
            raise checks.invalid(node, f"{permutation} is no permutation of {len(input.shape)} dimensions")
        checks.shape(node, output, self.order(node)[0], "output")

    def order(self, node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
        shape = node.input("input").shape
        strides = dense_strides(shape)
        axes = [axis % len(shape) for axis in integers(node, "permutation", "the permutation")]
        return tuple(shape[axis] for axis in axes), tuple(strides[axis] for axis in axes)


@dataclass(frozen=True)
class BlockAttributes:
    block: int


class DepthToSpace(_Reordering):
    """Channels [block][block][depth] become blocks of pixels."""

    name = "DEPTH_TO_SPACE"
    types = SUFFIX
    limits = "4 dimensions"

    def attributes(self, options: Options) -> BlockAttributes:
        return BlockAttributes(options.int32("block_size"))

    def check(self, node: Node) -> None:
        _check_image(node)
        (batches, height, width, channels), block = node.input("input").shape, node.attributes.block
        if block < 1 or channels % (block * block):
            raise checks.invalid(node, f"blocks of {block} in {channels} channels")
        expected = (batches, height * block, width * block, channels // (block * block))
        checks.shape(node, node.output, expected, "output")

    def order(self, node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
        (batches, height, width, channels), block = node.input("input").shape, node.attributes.block
        depth = channels // (block * block)
        extents = (batches, height, block, width, block, depth)
        image, row = height * width * channels, width * channels
        return extents, (image, row, block * depth, channels, depth, 1)


class SpaceToDepth(_Reordering):
    """Blocks of pixels become channels [block][block][depth]."""

    name = "SPACE_TO_DEPTH"
    types = SUFFIX
    limits = "4 dimensions"

    def attributes(self, options: Options) -> BlockAttributes:
        return BlockAttributes(options.int32("block_size"))

    def check(self, node: Node) -> None:
        _check_image(node)
        (batches, height, width, channels), block = node.input("input").shape, node.attributes.block
        if block < 1 or height % block or width % block:
            raise checks.invalid(node, f"blocks of {block} in {height}x{width} pixels")
        expected = (batches, height // block, width // block, channels * block * block)
        checks.shape(node, node.output, expected, "output")

    def order(self, node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
        (batches, height, width, channels), block = node.input("input").shape, node.attributes.block
        extents = (batches, height // block, width // block, block, block, channels)
        image, row = height * width * channels, width * channels
        return extents, (image, row * block, channels * block, row, channels, 1)


def _check_image(node: Node) -> None:
    input, output = node.input("input"), node.output
    checks.dtype(node, input, SUFFIX, "input")
    checks.same_dtype(node, input, output)
    checks.rank(node, input, 4, "input")
    checks.rank(node, output, 4, "output")


class BroadcastTo(_Reordering):
    """The output tensor carries the shape; the second input, which holds it, too, is not read."""

    name = "BROADCAST_TO"
    inputs = ("input", "shape")
    types = SUFFIX
    limits = "up to 6 dimensions"

    def check(self, node: Node) -> None:
        input, output = node.input("input"), node.output
        checks.dtype(node, input, SUFFIX, "input")
        checks.same_dtype(node, input, output)
        check_broadcast(node, input, output)

    def order(self, node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
        shape = node.output.shape
        return shape, tuple(element_strides(node.input("input").shape, shape))


OPS = (Transpose(), DepthToSpace(), SpaceToDepth(), BroadcastTo())
