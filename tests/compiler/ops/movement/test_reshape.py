# SPDX-License-Identifier: Apache-2.0
"""RESHAPE, SQUEEZE and EXPAND_DIMS: the bytes stay where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE

CASES = 105


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 60)
    shape = [1, *r.shape(r.integer(1, 5), 1, 4)]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        x = graph.input(shape, dtype, **q)
        if op == "RESHAPE":
            target = [int(extent) for extent in r.rng.permutation(shape)]
            y = graph.tensor(target, dtype, **q)
            graph.op(op, [x, graph.constant(np.array(target, np.int32))], [y], new_shape=target)
        elif op == "SQUEEZE":
            y = graph.tensor(shape[1:], dtype, **q)
            graph.op(op, [x], [y], squeeze_dims=[0])
        else:
            axis = r.integer(0, len(shape))
            y = graph.tensor([*shape[:axis], 1, *shape[axis:]], dtype, **q)
            graph.op(op, [x, graph.constant(np.array(axis, np.int32))], [y])
        return [x], [y]

    return case(f"{op} {dtype} {shape} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("op", ["RESHAPE", "SQUEEZE", "EXPAND_DIMS"])
def test_values_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["RESHAPE", "SQUEEZE", "EXPAND_DIMS"])
def test_no_code_is_made(op: str) -> None:
    program = lower(load(random_case(0, op, "int8").model), PORTABLE, "m")
    assert program.calls == []
    assert len(program.buffers) == 1
