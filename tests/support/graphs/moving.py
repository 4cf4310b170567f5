# SPDX-License-Identifier: Apache-2.0
"""Layers that move values: shapes, slices, joins, permutations, padding, gathering."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.support.flatbuffer_builder import TensorRef
from tests.support.graphs.grower import MOVED, QUANTIZED, Grower, SkipLayer


def _reshape(g: Grower) -> None:
    """To a permutation of the extents, to a vector, or to what it was."""
    x = g.pick(*MOVED)
    shapes = [[int(n) for n in g.r.rng.permutation(x.shape)], [int(np.prod(x.shape))], [1, -1], [*x.shape]]
    written = g.r.choice(shapes)
    shape = [1, int(np.prod(x.shape))] if -1 in written else written
    g.add("RESHAPE", [x, g.integers(*written)], g.like(x, shape), new_shape=written)


def _squeeze(g: Grower) -> None:
    x = g.pick(*MOVED, low=2, fits=lambda ref: ref.shape[0] == 1)
    g.add("SQUEEZE", [x], g.like(x, x.shape[1:]), squeeze_dims=[0])


def _expand_dims(g: Grower) -> None:
    x = g.pick(*QUANTIZED, "float32", high=3)
    axis = g.r.integer(0, len(x.shape))
    shape = [*x.shape[:axis], 1, *x.shape[axis:]]
    g.add("EXPAND_DIMS", [x, g.graph.constant(np.array(axis, np.int32))], g.like(x, shape))


def _transpose(g: Grower) -> None:
    """Often twice, so that there is something to merge."""
    x = g.pick(*QUANTIZED, "float32", low=2)
    for _ in range(g.r.integer(1, 2)):
        order = [int(axis) for axis in g.r.rng.permutation(len(x.shape))]
        y = g.like(x, [x.shape[axis] for axis in order])
        g.add("TRANSPOSE", [x, g.integers(*order)], y)
        x = y


def _pad(name: str, g: Grower) -> None:
    x = g.pick("int8", "int16", "float32")
    table = np.array([[g.r.integer(0, 1), g.r.integer(0, 2)] for _ in x.shape], np.int32)
    if len(x.shape) == 4 and g.r.chance(0.7):
        table[0] = table[3] = 0
    operands = [x, g.graph.constant(table)]
    if name == "PADV2":
        operands.append(g.random_constant((1,), x.dtype, g.of(x)))
    g.add(name, operands, g.like(x, np.array(x.shape) + table.sum(axis=1)))


def _mirror_pad(g: Grower) -> None:
    x = g.pick("int8", "float32")
    table = np.array([[g.r.integer(0, 1), g.r.integer(0, 1)] for _ in x.shape], np.int32)
    y = g.like(x, np.array(x.shape) + table.sum(axis=1))
    g.add("MIRROR_PAD", [x, g.graph.constant(table)], y, mode="SYMMETRIC")


def _concatenation(g: Grower) -> None:
    x = g.pick(*MOVED)
    axis = g.r.integer(0, len(x.shape) - 1)
    parts = [x, *(g.alike(x) for _ in range(g.r.integer(0, 2)))]
    shape = [*x.shape]
    shape[axis] *= len(parts)
    g.add("CONCATENATION", parts, g.like(x, shape), axis=axis)


def _pack(g: Grower) -> None:
    x = g.pick("int8", "int32", "float32", high=3)
    axis, parts = g.r.integer(0, len(x.shape)), [x, *(g.alike(x) for _ in range(g.r.integer(0, 2)))]
    y = g.like(x, [*x.shape[:axis], len(parts), *x.shape[axis:]])
    g.add("PACK", parts, y, axis=axis, values_count=len(parts))


def _axis_to_part(g: Grower, x: TensorRef, least: int) -> int:
    axes = [axis for axis, extent in enumerate(x.shape) if extent >= least]
    if not axes:
        raise SkipLayer
    return int(g.r.choice(axes))


def _part(g: Grower, x: TensorRef, axis: int, extent: int) -> TensorRef:
    return g.like(x, [*x.shape[:axis], extent, *x.shape[axis + 1 :]])


def _split(g: Grower) -> None:
    x = g.pick("int8", "float32")
    axis = _axis_to_part(g, x, 2)
    count = g.r.choice([n for n in (2, 3, 4, x.shape[axis]) if x.shape[axis] % n == 0][:3])
    parts = [_part(g, x, axis, x.shape[axis] // count) for _ in range(count)]
    g.add("SPLIT", [g.graph.constant(np.array(axis, np.int32)), x], parts, num_splits=count)


def _split_v(g: Grower) -> None:
    x = g.pick("int8", "float32")
    axis = _axis_to_part(g, x, 2)
    first = g.r.integer(1, x.shape[axis] - 1)
    parts = [_part(g, x, axis, extent) for extent in (first, x.shape[axis] - first)]
    operands = [x, g.integers(first, x.shape[axis] - first), g.graph.constant(np.array(axis, np.int32))]
    g.add("SPLIT_V", operands, parts, num_splits=2)


def _unpack(g: Grower) -> None:
    x = g.pick("int8", "float32", low=2)
    axis = _axis_to_part(g, x, 2)
    if x.shape[axis] > 5:
        raise SkipLayer
    parts = [g.like(x, x.shape[:axis] + x.shape[axis + 1 :]) for _ in range(x.shape[axis])]
    g.add("UNPACK", [x], parts, axis=axis, num=len(parts))


def _slice(g: Grower) -> None:
    x = g.pick(*MOVED)
    begin = [g.r.integer(0, extent - 1) if g.r.chance(0.5) else 0 for extent in x.shape]
    size = [
        g.r.integer(1, n - start) if g.r.chance(0.5) else n - start
        for n, start in zip(x.shape, begin, strict=True)
    ]
    g.add("SLICE", [x, g.integers(*begin), g.integers(*size)], g.like(x, size))


def _strided_slice(g: Grower) -> None:
    """Every n-th from a start on; along one axis perhaps backwards, and the first axis perhaps dropped."""
    x = g.pick(*MOVED)
    begin = [g.r.integer(0, extent - 1) if g.r.chance(0.5) else 0 for extent in x.shape]
    steps = [g.r.choice((1, 1, 2)) for _ in x.shape]
    shape = [-(-(n - start) // step) for n, start, step in zip(x.shape, begin, steps, strict=True)]
    shrink = len(shape) > 1 and g.r.chance(0.3)
    end = [*x.shape]
    if shrink:
        shape, end[0], steps[0] = shape[1:], begin[0] + 1, 1
    operands = [x, g.integers(*begin), g.integers(*end), g.integers(*steps)]
    g.add("STRIDED_SLICE", operands, g.like(x, shape), shrink_axis_mask=int(shrink))


def _reverse(g: Grower) -> None:
    x = g.pick("int8", "float32")
    g.add("REVERSE_V2", [x, g.integers(g.r.integer(0, len(x.shape) - 1))], g.like(x))


def _gather(g: Grower) -> None:
    x = g.pick("int8", "float32")
    axis, count = g.r.integer(0, len(x.shape) - 1), g.r.integer(1, 4)
    positions = g.integers(*(int(n) for n in g.r.rng.integers(0, x.shape[axis], count)))
    y = g.like(x, [*x.shape[:axis], count, *x.shape[axis + 1 :]])
    g.add("GATHER", [x, positions], y, axis=axis)


def _gather_nd(g: Grower) -> None:
    x = g.pick("int8", "float32")
    depth, count = g.r.integer(1, len(x.shape)), g.r.integer(1, 4)
    positions = np.stack([g.r.rng.integers(0, x.shape[d], count) for d in range(depth)], -1)
    y = g.like(x, (count, *x.shape[depth:]))
    g.add("GATHER_ND", [x, g.graph.constant(positions.astype(np.int32))], y)


def _blocks(name: str, g: Grower) -> None:
    """DEPTH_TO_SPACE and SPACE_TO_DEPTH."""
    if name == "DEPTH_TO_SPACE":
        x = g.pick("int8", "float32", low=4, fits=lambda ref: ref.shape[3] % 4 == 0)
        batches, height, width, depth = x.shape
        shape = (batches, height * 2, width * 2, depth // 4)
    else:
        x = g.pick("int8", "float32", low=4, fits=lambda ref: not (ref.shape[1] % 2 or ref.shape[2] % 2))
        batches, height, width, depth = x.shape
        shape = (batches, height // 2, width // 2, depth * 4)
    g.add(name, [x], g.like(x, shape), block_size=2)


def _batches(name: str, g: Grower) -> None:
    """SPACE_TO_BATCH_ND, and BATCH_TO_SPACE_ND of what it made, as dilated convolutions are exported."""
    x = g.pick("int8", "float32", low=4, fits=lambda ref: not (ref.shape[1] % 2 or ref.shape[2] % 2))
    batches, height, width, depth = x.shape
    block, borders = g.integers(2, 2), g.graph.constant(np.zeros((2, 2), np.int32))
    y = g.like(x, (batches * 4, height // 2, width // 2, depth))
    g.add("SPACE_TO_BATCH_ND", [x, block, borders], y)
    if name == "BATCH_TO_SPACE_ND":
        g.add(name, [y, block, borders], g.like(x))


def _broadcast_to(g: Grower) -> None:
    x = g.pick("int8", "int32", "float32")
    shape = [g.r.integer(1, 4) if extent == 1 else extent for extent in x.shape]
    g.add("BROADCAST_TO", [x, g.integers(*shape)], g.like(x, shape))


def _zeros_like(g: Grower) -> None:
    x = g.pick("int8", "int32", "float32")
    g.add("ZEROS_LIKE", [x], g.like(x))


LAYERS: dict[str, Callable[[Grower], None]] = {
    **{name: partial(_pad, name) for name in ("PAD", "PADV2")},
    **{name: partial(_blocks, name) for name in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")},
    **{name: partial(_batches, name) for name in ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")},
    "BROADCAST_TO": _broadcast_to,
    "CONCATENATION": _concatenation,
    "EXPAND_DIMS": _expand_dims,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "MIRROR_PAD": _mirror_pad,
    "PACK": _pack,
    "RESHAPE": _reshape,
    "REVERSE_V2": _reverse,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
    "ZEROS_LIKE": _zeros_like,
}
