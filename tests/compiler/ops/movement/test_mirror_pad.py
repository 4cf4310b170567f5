# SPDX-License-Identifier: Apache-2.0
"""MIRROR_PAD against TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Array, Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.run_time import at_run_time, outputs_of

CASES = 110


def random_case(index: int, dtype: str) -> Case:
    r = Random(index, 70)
    shape = r.shape(r.integer(1, 5), 1, 4)
    mode = r.choice(("REFLECT", "SYMMETRIC"))
    most = [extent - (mode == "REFLECT") for extent in shape]
    table = np.array([[r.integer(0, limit), r.integer(0, limit)] for limit in most], dtype=np.int32)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        y = graph.tensor(np.array(shape) + table.sum(axis=1), dtype, **q)
        graph.op("MIRROR_PAD", [x, graph.constant(table)], [y], mode=mode)
        return [x], [y]

    return case(f"mirror pad {dtype} {shape} {table.tolist()} {mode} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def computed_case(index: int, dtype: str) -> Case:
    """Other paddings in each sample: what is before may be less than nothing, what is after is not read."""
    r, made = Random(index, 71), random_case(index, dtype)
    shape, own = made.samples[0][0].shape, int("REFLECT" in made.label)

    def other(operand: int, table: Array) -> Array:
        return np.array([[r.integer(-1, extent - own), r.integer(0, 3)] for extent in shape], table.dtype)

    return at_run_time(made, [1], other)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_computed_paddings_give_tflms_bytes(dtype: str, tmp_path: Path) -> None:
    check([computed_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_what_would_mirror_beyond_the_input_is_zero(kind: type, tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, table = graph.input((3,), "float32"), graph.input((1, 2), kind.__name__)
    y = graph.tensor((6,), "float32")
    graph.op("MIRROR_PAD", [x, table], [y], mode="REFLECT")
    graph.output(y)
    ends = np.iinfo(kind)
    samples = [[np.array([1, 2, 3], np.float32), np.array([[n, 0]], kind)] for n in (4, ends.max, ends.min)]
    (outputs,) = outputs_of([Case("paddings", model.build(), samples)], tmp_path)
    assert [output.tolist() for output in outputs] == [[0, 0, 3, 2, 1, 2], [0] * 6, [1] * 6]
