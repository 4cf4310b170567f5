# SPDX-License-Identifier: Apache-2.0
"""SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: how dilated convolutions are exported. Kernels in
``kernels/space_to_batch_nd.h``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyserve.compiler.graph.types import DType, Operator, Tensor
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, Op, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.program import ParamValue

_SUFFIX = {DType.INT8: "s8", DType.FLOAT32: "f32"}
_LIMIT = 1 << 16


@dataclass(frozen=True)
class _Block:
    """Height and width of blocks, and what is padded or cropped: ((top, bottom), (left, right))."""

    size: tuple[int, int]
    borders: tuple[tuple[int, int], tuple[int, int]]

    def params(self) -> dict[str, ParamValue]:
        """The kernels' fields."""
        (height, width), ((top, _), (left, _)) = self.size, self.borders
        return {"block_height": height, "block_width": width, "top": top, "left": left}


class SpaceToBatchNd(Op):
    """Input of rank 4, or 3 (no width); inputs 1 and 2 are the block sizes and paddings."""

    name = "SPACE_TO_BATCH_ND"
    types = _SUFFIX
    limits = "3 or 4 dimensions"
    kernel = "space_to_batch_nd"

    def check(self, op: Operator) -> None:
        checks.arity(op, 3)
        input, output = checks.required(op, 0), op.outputs[0]
        checks.dtype(op, input, _SUFFIX, "input")
        checks.same_dtype(op, input, output)
        if len(input.shape) not in (3, 4):
            raise unsupported(op, f"an input with {len(input.shape)} dimensions", "use 3 or 4")
        checks.rank(op, output, len(input.shape), "output")
        if input.dtype is DType.INT8:
            checks.same_quantization(op, input, output, 1e-6)
        if _computed(op):
            _check_tables(op, (DType.INT32,))
            if input.shape[-1] != output.shape[-1]:
                raise checks.invalid(op, f"shapes {list(input.shape)} and {list(output.shape)}")
            return
        space, batch = self.ends(op)
        block = _block(op)
        sizes = [extent + sum(borders) for extent, borders in self.padded(space, block)]
        if any(size % side for size, side in zip(sizes, block.size, strict=True)):
            raise checks.invalid(op, f"{sizes} is not made of blocks of {list(block.size)}")
        rows, columns = (size // side for size, side in zip(sizes, block.size, strict=True))
        wanted = (_image(space)[0] * block.size[0] * block.size[1], rows, columns, _image(space)[3])
        if _image(batch) != wanted:
            raise checks.invalid(op, f"shapes {list(input.shape)} and {list(output.shape)}")

    def ends(self, op: Operator) -> tuple[Tensor, Tensor]:
        """The tensor in space and the one in batches."""
        return checks.required(op, 0), op.outputs[0]

    def padded(self, space: Tensor, block: _Block) -> list[tuple[int, tuple[int, int]]]:
        """Height and width in space, each with what lies around them in blocks."""
        _, height, width, _ = _image(space)
        return [(height, block.borders[0]), (width, block.borders[1])]

    def lower(self, op: Operator, lowering: Lowering) -> None:
        input, output = checks.required(op, 0), op.outputs[0]
        batches, height, width, depth = _image(input)
        output_batches, output_height, output_width, _ = _image(output)
        shapes: dict[str, ParamValue] = {
            "input_batches": batches, "input_height": height, "input_width": width, "depth": depth,
            "output_batches": output_batches, "output_height": output_height, "output_width": output_width,
            "value": output.zero_point if output.dtype is DType.INT8 else 0,
        }  # fmt: skip
        form, inputs = "", [lowering.operand(input)]
        if _computed(op):
            form, inputs = "_at", [lowering.operand(checks.required(op, index)) for index in range(3)]
            shapes = {f"shapes.{field}": value for field, value in shapes.items()}
            shapes["spatial"] = len(input.shape) - 2
        else:
            shapes |= _block(op).params()
        add_call(
            op,
            lowering,
            f"ts_{self.kernel}_{_SUFFIX[input.dtype]}{form}",
            "space_to_batch_nd.h",
            params=shapes,
            inputs=inputs,
            outputs=[lowering.buffer(output)],
            params_type=f"ts_space_to_batch_nd{form}_params",
        )


class BatchToSpaceNd(SpaceToBatchNd):
    """The way back; input 2 says what is cropped."""

    name = "BATCH_TO_SPACE_ND"
    kernel = "batch_to_space_nd"

    def ends(self, op: Operator) -> tuple[Tensor, Tensor]:
        return op.outputs[0], checks.required(op, 0)


def _image(tensor: Tensor) -> tuple[int, int, int, int]:
    """Batches, height, width and depth; rank 3 has no width."""
    batches, height, *width, depth = tensor.shape
    return batches, height, width[0] if width else 1, depth


def _computed(op: Operator) -> bool:
    return not all(checks.required(op, index).is_constant for index in (1, 2))


def _check_tables(op: Operator, kinds: tuple[DType, ...]) -> None:
    sizes, borders = checks.required(op, 1), checks.required(op, 2)
    spatial = len(checks.required(op, 0).shape) - 2
    for tensor, count, role in ((sizes, spatial, "block sizes"), (borders, 2 * spatial, "paddings or crops")):
        checks.dtype(op, tensor, kinds, role)
        checks.elements(op, tensor, count, role)


def _block(op: Operator) -> _Block:
    _check_tables(op, (DType.INT32, DType.INT64))
    sizes, borders = checks.required(op, 1), checks.required(op, 2)
    spatial = len(checks.required(op, 0).shape) - 2
    block = [int(value) for value in np.asarray(sizes.data).reshape(-1)]
    around = [(int(low), int(high)) for low, high in np.asarray(borders.data).reshape(-1, 2)]
    if any(not 1 <= side <= _LIMIT for side in block) or any(
        not 0 <= amount <= _LIMIT for pair in around for amount in pair
    ):
        raise checks.invalid(op, f"blocks {block} with {around} around them")
    if spatial == 1:
        return _Block((block[0], 1), (around[0], (0, 0)))
    return _Block((block[0], block[1]), (around[0], around[1]))


OPS = (SpaceToBatchNd(), BatchToSpaceNd())
