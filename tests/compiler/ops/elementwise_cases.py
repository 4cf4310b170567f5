# SPDX-License-Identifier: Apache-2.0
"""Random two-input models with broadcasting, which the tests of all binary families share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef


def broadcast_shapes(
    r: Random, max_rank: int = 6, scalars: bool = False
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast: often equal, else with ones or missing dimensions on one side or both.

    ``scalars`` also gives shapes without dimensions, which TFLM's Python wrapper cannot set as inputs.
    """
    rank = r.integer(1, max_rank)
    shape = r.shape(rank, 1, 5 if rank < 5 else 3)
    kind = r.choice(("equal", "equal", "scalar", "short", "ones", "both"))
    first, second = shape, shape
    if kind == "scalar":
        second = () if scalars and r.chance(0.5) else (1,)
    elif kind == "short":
        second = shape[r.integer(0, len(shape) - 1) :]
    elif kind == "ones":
        second = tuple(1 if r.chance(0.5) else extent for extent in shape)
    elif kind == "both":
        mask = [r.integer(0, 2) for _ in shape]
        first = tuple(1 if m == 0 else extent for m, extent in zip(mask, shape, strict=True))
        second = tuple(1 if m == 1 else extent for m, extent in zip(mask, shape, strict=True))
    return (first, second) if r.chance(0.6) else (second, first)


def output_shape(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """What the two broadcast to."""
    rank = max(len(first), len(second))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (first, second)]
    return tuple(max(pair) for pair in zip(*padded, strict=True))


def binary_case(
    label: str,
    r: Random,
    op: str,
    dtype: str,
    output_quantization: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]],
    *,
    output_dtype: str | None = None,
    max_rank: int = 6,
    **options: Any,
) -> Case:
    """One operator on two inputs, one of which is sometimes constant."""
    first, second = broadcast_shapes(r, max_rank, scalars=True)
    if first == ():
        first, second = second, first

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q1, q2 = r.quantization(dtype, 0.005, 0.5), r.quantization(dtype, 0.005, 0.5)
        a = graph.input(first, dtype, **q1)
        constant = second == () or r.chance(0.3)
        b = graph.constant(r.values(second, dtype), **q2) if constant else graph.input(second, dtype, **q2)
        out = output_quantization(q1, q2)
        y = graph.tensor(output_shape(first, second), output_dtype or dtype, **out)
        operands = [a, b] if r.chance(0.8) else [b, a]
        graph.op(op, operands, [y], **options)
        return [a] if constant else [a, b], [y]

    return case(label, r, build)
