"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN and REDUCE_ALL against TFLM (which reduces two axes at most)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ops.generate import Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 120
INTEGERS = [
    ("MEAN", "int8"), ("MEAN", "int16"), ("SUM", "int8"), ("SUM", "int16"), ("REDUCE_MAX", "int8"),
    ("REDUCE_MIN", "int8"),
]  # fmt: skip


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 7, len(op))
    shape = r.shape(r.integer(1, 4), 1, 6)
    axes = r.rng.permutation(len(shape))[: r.integer(1, min(2, len(shape)))]
    if len(shape) == 4 and r.chance(0.3):
        axes = np.array([1, 2])
    keep = r.chance(0.5)
    count = int(np.prod([shape[axis] for axis in axes]))
    kept = [1 if axis in axes else extent for axis, extent in enumerate(shape) if keep or axis not in axes]
    written = [int(axis) - (len(shape) if r.chance(0.3) else 0) for axis in axes]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q: dict[str, Any] = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        out = dict(q)
        if q and op in ("MEAN", "SUM") and r.chance(0.7):
            growth = np.sqrt(count) if op == "SUM" else 1.0
            out = {
                "scale": q["scale"] * growth * r.choice((1.0, 0.5, 2.3)),
                "zero_point": r.zero_point(dtype),
            }
        y = graph.tensor(kept, dtype, **out)
        graph.op(op, [x, graph.constant(np.array(written, np.int32))], [y], keep_dims=keep)
        return [x], [y]

    return case(f"{op} {dtype} {shape} over {written} #{index}", r, build)


@pytest.mark.parametrize(("op", "dtype"), INTEGERS)
def test_integer_bytes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_all_of_bool_equals_tflm(tmp_path: Path) -> None:
    check([random_case(index, "REDUCE_ALL", "bool") for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"])
def test_float_is_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [random_case(index, op, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))
