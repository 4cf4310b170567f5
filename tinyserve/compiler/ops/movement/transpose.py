# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE, DEPTH_TO_SPACE, SPACE_TO_DEPTH and BROADCAST_TO: the input walked in another order."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Operator, Options
from tinyserve.compiler.ops.movement.slice import integers, resolved_axis
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op, unsupported
from tinyserve.compiler.ops.support.broadcast import MAX_RANK, check_broadcast, element_strides
from tinyserve.compiler.ops.support.strided_copy import SUFFIX, Walk, add_copy, dense, dense_strides


class _Reordering(Op):
    """Copies the input, walked as ``order(op)`` says, to a dense output."""

    def order(self, op: Operator) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Extents of the output (perhaps split in more dimensions) and the input's strides along them."""
        raise NotImplementedError

    def lower(self, op: Operator, lowering: Lowering) -> None:
        extents, strides = self.order(op)
        add_copy(
            op,
            lowering,
            checks.required(op, 0),
            op.outputs[0],
            shape=extents,
            source=Walk(0, strides),
            target=dense(extents),
        )


class Transpose(_Reordering):
    """Input 1 holds the permutation."""

    name = "TRANSPOSE"
    types = SUFFIX
    limits = "up to 6 dimensions; a constant permutation"

    def check(self, op: Operator) -> None:
        checks.arity(op, 2)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, SUFFIX, "input")
        checks.same_dtype(op, input, output)
        if len(input.shape) > MAX_RANK:
            raise unsupported(op, f"more than {MAX_RANK} dimensions", "reshape to fewer dimensions")
        permutation = integers(op, 1, "the permutation", len(input.shape))
        axes = [resolved_axis(op, axis, len(input.shape)) for axis in permutation]
        if sorted(axes) != list(range(len(input.shape))):
            raise checks.invalid(op, f"{permutation} is no permutation of {len(input.shape)} dimensions")
        checks.shape(op, output, self.order(op)[0], "output")

    def order(self, op: Operator) -> tuple[tuple[int, ...], tuple[int, ...]]:
        shape = checks.required(op, 0).shape
        strides = dense_strides(shape)
        axes = [axis % len(shape) for axis in integers(op, 1, "the permutation")]
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
        return BlockAttributes(options.int32(0))

    def check(self, op: Operator) -> None:
        _check_image(op)
        (batches, height, width, channels), block = checks.required(op, 0).shape, op.attributes.block
        if block < 1 or channels % (block * block):
            raise checks.invalid(op, f"blocks of {block} in {channels} channels")
        expected = (batches, height * block, width * block, channels // (block * block))
        checks.shape(op, op.outputs[0], expected, "output")

    def order(self, op: Operator) -> tuple[tuple[int, ...], tuple[int, ...]]:
        (batches, height, width, channels), block = checks.required(op, 0).shape, op.attributes.block
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
        return BlockAttributes(options.int32(0))

    def check(self, op: Operator) -> None:
        _check_image(op)
        (batches, height, width, channels), block = checks.required(op, 0).shape, op.attributes.block
        if block < 1 or height % block or width % block:
            raise checks.invalid(op, f"blocks of {block} in {height}x{width} pixels")
        expected = (batches, height // block, width // block, channels * block * block)
        checks.shape(op, op.outputs[0], expected, "output")

    def order(self, op: Operator) -> tuple[tuple[int, ...], tuple[int, ...]]:
        (batches, height, width, channels), block = checks.required(op, 0).shape, op.attributes.block
        extents = (batches, height // block, width // block, block, block, channels)
        image, row = height * width * channels, width * channels
        return extents, (image, row * block, channels * block, row, channels, 1)


def _check_image(op: Operator) -> None:
    checks.arity(op, 1)
    input, output = checks.required(op, 0), op.outputs[0]
    checks.dtype(op, input, SUFFIX, "input")
    checks.same_dtype(op, input, output)
    checks.rank(op, input, 4, "input")
    checks.rank(op, output, 4, "output")


class BroadcastTo(_Reordering):
    """The output tensor carries the shape; input 1, which holds it, too, is not read."""

    name = "BROADCAST_TO"
    types = SUFFIX
    limits = "up to 6 dimensions"

    def check(self, op: Operator) -> None:
        checks.arity(op, 2)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, SUFFIX, "input")
        checks.same_dtype(op, input, output)
        check_broadcast(op, input, output)

    def order(self, op: Operator) -> tuple[tuple[int, ...], tuple[int, ...]]:
        shape = op.outputs[0].shape
        return shape, tuple(element_strides(checks.required(op, 0).shape, shape))


OPS = (Transpose(), DepthToSpace(), SpaceToDepth(), BroadcastTo())
