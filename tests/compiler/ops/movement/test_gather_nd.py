# SPDX-License-Identifier: Apache-2.0
"""GATHER_ND, EMBEDDING_LOOKUP and DYNAMIC_UPDATE_SLICE against TFLM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.run_time import outputs_of

CASES = 105


def gather_nd(index: int, dtype: str) -> Case:
    r = Random(index, 99)
    shape = r.shape(r.integer(1, 5), 1, 4)
    depth, rows = r.integer(1, len(shape)), r.shape(r.integer(1, 2), 1, 4)
    model = ModelBuilder()
    graph = model.graph()
    q = r.quantization(dtype)
    x, positions = graph.input(shape, dtype, **q), graph.input((*rows, depth), "int32")
    y = graph.tensor((*rows, *shape[depth:]), dtype, **q)
    graph.op("GATHER_ND", [x, positions], [y])
    graph.output(y)

    def chosen() -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        return np.stack([r.rng.integers(0, shape[d], rows) for d in range(depth)], -1).astype(np.int32)

    samples = [[r.values(shape, dtype), chosen()] for _ in range(3)]
    return Case(f"gather_nd {dtype} {shape} depth {depth} #{index}", model.build(), samples)


def embedding_lookup(index: int, dtype: str) -> Case:
    r = Random(index, 100)
    shape, count = r.shape(r.integer(2, 3), 1, 6), r.integer(1, 5)
    result = r.choice(("float32", "int8")) if dtype == "int8" else "float32"
    model = ModelBuilder()
    graph = model.graph()
    q = {"scale": r.scale()} if dtype == "int8" else {}
    positions = graph.input((count,), "int32")
    table = graph.constant(r.values(shape, dtype), q.get("scale"))
    y = graph.tensor((count, *shape[1:]), result, q.get("scale") if result == "int8" else None)
    graph.op("EMBEDDING_LOOKUP", [positions, table], [y])
    graph.output(y)
    samples = [[r.rng.integers(0, shape[0], count).astype(np.int32)] for _ in range(3)]
    return Case(f"embedding {dtype} to {result} {shape} #{index}", model.build(), samples)


def dynamic_update_slice(index: int, dtype: str) -> Case:
    r = Random(index, 101)
    shape = r.shape(r.integer(1, 5), 1, 4)
    part = tuple(r.integer(1, extent) for extent in shape)
    model = ModelBuilder()
    graph = model.graph()
    q = r.quantization(dtype)
    at = r.choice(("int32", "int64"))
    inputs = [graph.input(shape, dtype, **q), graph.input(part, dtype, **q), graph.input((len(shape),), at)]
    y = graph.tensor(shape, dtype, **q)
    graph.op("DYNAMIC_UPDATE_SLICE", inputs, [y])
    graph.output(y)
    samples = [
        [r.values(shape, dtype), r.values(part, dtype), r.rng.integers(-2, 6, len(shape)).astype(at)]
        for _ in range(3)
    ]
    return Case(f"dynamic_update_slice {dtype} {part} in {shape} #{index}", model.build(), samples)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("make", [gather_nd, embedding_lookup])
def test_rows_are_the_bytes_that_tflm_takes(
    make: Callable[[int, str], Case], dtype: str, tmp_path: Path
) -> None:
    check([make(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
def test_updates_land_where_tflm_puts_them(dtype: str, tmp_path: Path) -> None:
    check([dynamic_update_slice(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_positions_outside_of_the_input_read_its_nearest_end(tmp_path: Path) -> None:
    far, near = 2**31 - 1, -(2**31)
    given = np.array([[-1, 0], [3, 4], [far, near], [near, far]])
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    cases = []
    for op, positions, shape in (("GATHER_ND", given, (4,)), ("EMBEDDING_LOOKUP", given[:, 0], (4, 4))):
        model = ModelBuilder()
        graph = model.graph()
        x, places = graph.input((3, 4), "float32"), graph.input(positions.shape, "int32")
        y = graph.tensor(shape, "float32")
        graph.op(op, [x, places] if op == "GATHER_ND" else [places, x], [y])
        graph.output(y)
        cases.append(Case(op, model.build(), [[values, positions.astype(np.int32)]]))
    (points,), (rows,) = outputs_of(cases, tmp_path)
    clipped = given.clip(0, (2, 3))
    assert np.array_equal(points, values[clipped[:, 0], clipped[:, 1]])
    assert np.array_equal(rows, values[clipped[:, 0]])
