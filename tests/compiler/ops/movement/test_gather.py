# SPDX-License-Identifier: Apache-2.0
"""GATHER against TFLM, with constant and computed positions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.run_time import outputs_of

CASES = 110


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 49)
    shape = r.shape(r.integer(1, 6), 1, 4)
    axis = r.integer(0, len(shape) - 1)
    batch = r.integer(0, axis) if r.chance(0.3) else 0
    positions = (*shape[:batch], *r.shape(r.integer(0 if batch else 1, 2), 1, 4))
    out = (*shape[:axis], *positions[batch:], *shape[axis + 1 :])
    model = ModelBuilder()
    graph = model.graph()
    q = r.quantization(dtype)
    x = graph.input(shape, dtype, **q)

    def draw() -> Any:
        return r.rng.integers(0, shape[axis], positions).astype("int32")

    constant = r.chance(0.5)
    coordinates = graph.constant(draw()) if constant else graph.input(positions, "int32")
    y = graph.tensor(out, dtype, **q)
    graph.op("GATHER", [x, coordinates], [y], axis=axis, batch_dims=batch)
    graph.output(y)
    samples = [[r.values(shape, dtype), *([] if constant else [draw()])] for _ in range(3)]
    return Case(
        f"gather {dtype} {shape} {positions} axis {axis} batch {batch} #{index}", model.build(), samples
    )


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_values_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_positions_outside_of_the_axis_read_its_nearest_end(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, positions = graph.input((3, 4), "float32"), graph.input((5,), "int32")
    y = graph.tensor((5, 4), "float32")
    graph.op("GATHER", [x, positions], [y], axis=0)
    graph.output(y)
    values, given = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([-1, 3, 2**31 - 1, -(2**31), 1])
    samples = [[values, given.astype(np.int32)]]
    ((output,),) = outputs_of([Case("positions", model.build(), samples)], tmp_path)
    assert np.array_equal(output, values[given.clip(0, 2)])
