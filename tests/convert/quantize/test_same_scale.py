# SPDX-License-Identifier: Apache-2.0
"""Operators that copy bytes get inputs of their output's scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert.quantize.same_scale import repaired

Array = npt.NDArray[Any]
_VALUES = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)
_INPUT = {"scale": 0.25, "zero_point": 2}
_OUTPUT = {"scale": 0.1, "zero_point": -7}


def _copies(name: str, output: dict[str, Any]) -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input(_VALUES.shape, "int8", **_INPUT)
    y = graph.tensor((4, 3, 4) if name == "CONCATENATION" else _VALUES.shape, "int8", **output)
    if name == "CONCATENATION":
        graph.op(name, [x, x], [y], axis=0)
    elif name == "REVERSE_V2":
        graph.op(name, [x, graph.constant(np.array([1], np.int32))], [y])
    else:
        graph.op(name, [x, graph.constant(np.array([2, 3, 4], np.int32))], [y])
    graph.output(y)
    return model.build()


def _real(data: bytes) -> Array:
    (got,) = HostModel(compile_model(data)).run([_VALUES])
    return (got.astype(np.float64) - _OUTPUT["zero_point"]) * _OUTPUT["scale"]


@pytest.mark.parametrize("name", ["REVERSE_V2", "CONCATENATION", "RESHAPE"])
def test_real_values_arrive(name: str) -> None:
    real = (_VALUES.astype(np.float64) - _INPUT["zero_point"]) * _INPUT["scale"]
    wanted = {"REVERSE_V2": real[:, ::-1], "CONCATENATION": np.concatenate([real, real]), "RESHAPE": real}
    data = repaired(_copies(name, _OUTPUT))
    assert "QUANTIZE" in [node.name for node in read(data).main.nodes]
    np.testing.assert_allclose(_real(data).reshape(wanted[name].shape), wanted[name], atol=0.051)


def test_a_model_of_equal_scales_is_left_alone() -> None:
    data = _copies("REVERSE_V2", _INPUT)
    assert repaired(data) is data
