# SPDX-License-Identifier: Apache-2.0
"""SHAPE against TFLM: as an output, and as what other operators work on at run time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes import load
from tinyserve.compiler.program import PORTABLE

CASES = 105


def random_case(index: int, dtype: str) -> Case:
    """The shape of an input or of what an operator makes of it: itself, and added to a value."""
    r = Random(index, 110)
    shape, reshaped = r.shape(r.integer(1, 5), 1, 5), r.chance(0.5)
    model = ModelBuilder()
    graph = model.graph()
    q = r.quantization(dtype)
    source = x = graph.input(shape, dtype, **q)
    if reshaped:
        source = graph.tensor((1, *shape), dtype, **q)
        graph.op("RESHAPE", [x], [source], new_shape=source.shape)
    rank = len(source.shape)
    extents, total = graph.tensor((rank,), "int32"), graph.tensor((rank,), "int32")
    addend = graph.input((rank,), "int32")
    graph.op("SHAPE", [source], [extents], out_type="int32")
    graph.op("ADD", [extents, addend], [total])
    graph.output(extents, total, *([extents] if r.chance(0.2) else []))
    return Case(f"shape {dtype} {source.shape} #{index}", model.build(), r.samples([x, addend]))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_extents_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def test_no_code_is_made() -> None:
    program = lower(load(random_case(0, "int8").model), PORTABLE, "m")
    assert [call.op for call in program.calls] == ["ADD"]


def test_the_shape_is_an_output_of_the_generated_c() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, extents = graph.input((2, 7, 3), "float32"), graph.tensor((3,), "int32")
    graph.op("SHAPE", [x], [extents], out_type="int32")
    graph.output(extents)
    (output,) = HostModel(compile_model(model.build())).run([np.zeros((2, 7, 3), np.float32)])
    assert output.tolist() == [2, 7, 3]
