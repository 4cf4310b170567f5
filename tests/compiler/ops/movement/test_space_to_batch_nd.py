# SPDX-License-Identifier: Apache-2.0
"""SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND against TFLM, and numpy for what TFLM pads with at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Array, Random, case
from tests.support.differential import Case, check, run_c
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.run_time import at_run_time, outputs_of
from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE

CASES = 110


def random_case(index: int, op: str, dtype: str, padded_too: bool = False) -> Case:
    r = Random(index, 98, len(op))
    most = 0 if op == "SPACE_TO_BATCH_ND" and not padded_too else 2
    batches, depth, spatial = r.integer(1, 3), r.integer(1, 4), r.choice((1, 2, 2, 2))
    block = [r.integer(1, 3) for _ in range(spatial)]
    blocks = [r.integer(1, 4) for _ in range(spatial)]
    padded = [side * count for side, count in zip(block, blocks, strict=True)]
    before = [r.integer(0, min(most, size - 1)) for size in padded]
    after = [r.integer(0, min(most, size - 1 - low)) for size, low in zip(padded, before, strict=True)]
    inner = [size - low - high for size, low, high in zip(padded, before, after, strict=True)]
    space = (batches, *inner, depth)
    batch = (batches * int(np.prod(block)), *blocks, depth)
    shapes = (space, batch) if op == "SPACE_TO_BATCH_ND" else (batch, space)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        x, y = graph.input(shapes[0], dtype, **q), graph.tensor(shapes[1], dtype, **q)
        borders = np.array([before, after], np.int32).T
        graph.op(op, [x, graph.constant(np.array(block, np.int32)), graph.constant(borders)], [y])
        return [x], [y]

    return case(f"{op} {dtype} {shapes} block {block} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("op", ["SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"])
def test_bytes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_padding_is_the_zero_point(dtype: str, tmp_path: Path) -> None:
    cases = [random_case(index, "SPACE_TO_BATCH_ND", dtype, padded_too=True) for index in range(CASES)]
    models = [load(made.model) for made in cases]
    programs = [
        (lower(model, PORTABLE, "case"), made.samples) for model, made in zip(models, cases, strict=True)
    ]
    for made, model, runs in zip(cases, models, run_c(programs, tmp_path), strict=True):
        operator = model.main.nodes[0]
        for run in runs:
            expected = in_batches(operator, made.samples[run.sample][0])
            assert np.array_equal(run.outputs[0], expected), made.label


def in_batches(operator: Node, x: Array) -> Array:
    """numpy's way: pad, cut each spatial dimension into blocks, and move those in front of the batches."""
    block, borders = (np.asarray(tensor.data) for tensor in operator.inputs[1:] if tensor is not None)
    spatial = len(block)
    value = operator.outputs[0].zero_point if x.dtype == np.int8 else 0
    x = np.pad(x, [(0, 0), *map(tuple, borders), (0, 0)], constant_values=value)
    cut = [
        x.shape[0],
        *(n for size, side in zip(x.shape[1:-1], block, strict=True) for n in (size // side, side)),
    ]
    axes = [*range(2, 2 * spatial + 1, 2), 0, *range(1, 2 * spatial, 2), 2 * spatial + 1]
    return np.asarray(x.reshape(*cut, x.shape[-1]).transpose(axes).reshape(operator.outputs[0].shape))


def computed_case(index: int, op: str, dtype: str) -> Case:
    """Blocks, borders or both at run time, with crops that are other ones in each sample."""
    r = Random(index, 104)

    def other(operand: int, table: Array) -> Array:
        if operand == 1:
            return table
        before = [r.integer(0, int(total)) for total in table.sum(axis=1)]
        return np.stack([np.array(before), table.sum(axis=1) - before], 1).astype(np.int32)

    return at_run_time(random_case(index, op, dtype), ((1,), (2,), (1, 2))[index % 3], other)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("op", ["SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"])
def test_computed_blocks_and_borders_give_tflms_bytes(op: str, dtype: str, tmp_path: Path) -> None:
    check([computed_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_blocks_and_borders_of_other_shapes_give_zeros(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, sizes, borders = (
        graph.input((1, 3, 4, 1), "float32"),
        graph.input((2,), "int32"),
        graph.input((2, 2), "int32"),
    )
    y = graph.tensor((4, 2, 2, 1), "float32")
    graph.op("SPACE_TO_BATCH_ND", [x, sizes, borders], [y])
    graph.output(y)
    far = 2**31 - 1
    given = [
        ((2, 2), (1, 0, 0, 0)), ((2, 2), (1, 1, 0, 0)), ((2, 2), (2, -1, 0, 0)), ((2, 3), (1, 0, 0, 2)),
        ((0, 2), (1, 0, 0, 0)), ((-2, -2), (1, 0, 0, 0)), ((far, far), (far, far, far, far)),
        ((2, 2), (-far, -far, 0, 0)),
    ]  # fmt: skip
    values = np.full((1, 3, 4, 1), 7, np.float32)
    samples = [[values, np.array(a, np.int32), np.array(b, np.int32).reshape(2, 2)] for a, b in given]
    (outputs,) = outputs_of([Case("blocks", model.build(), samples)], tmp_path)
    assert [int((output == 7).sum()) for output in outputs] == [12] + [0] * 7
    assert not any(output.any() for output in outputs[1:])
