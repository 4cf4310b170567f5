# SPDX-License-Identifier: Apache-2.0
"""What is joined and then quantized is quantized and then joined, with the same result."""

from __future__ import annotations

import numpy as np

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.graph.reader import read
from tinyserve.convert.quantize.joined import as_integers
from tinyserve.convert.tflite import facts
from tinyserve.convert.worker import runtimes

_TARGET = {"scale": 1 / 64, "zero_point": -3}


def _in_floats() -> bytes:
    """Of three integers, one of which has the scale of what they are joined to, and a function in float."""
    model = ModelBuilder()
    graph = model.graph()
    scales = [_TARGET, {"scale": 1 / 32, "zero_point": 5}, {"scale": 1 / 50, "zero_point": 0}]
    inputs = [graph.input((1, 8), "int8", **scale) for scale in scales]
    floats = [graph.tensor((1, 8), "float32") for _ in scales]
    for given, made in zip(inputs, floats, strict=True):
        graph.op("DEQUANTIZE", [given], [made])
    end, whole = graph.tensor((1, 8), "float32"), graph.tensor((1, 24), "float32", name="whole")
    graph.op("EXP", [floats[2]], [end])
    graph.op("CONCATENATION", [floats[0], floats[1], end], [whole], axis=1)
    y = graph.tensor((1, 24), "int8", **_TARGET)
    graph.op("QUANTIZE", [whole], [y])
    graph.output(y)
    return model.build()


def test_each_value_is_the_same_and_tables_can_be_made() -> None:
    data = _in_floats()
    changed = as_integers(data)
    names = [node.name for node in read(changed).main.nodes]
    assert sorted(names) == ["CONCATENATION", "DEQUANTIZE", "EXP", "QUANTIZE", "QUANTIZE"]
    assert facts.left_in_float(facts.as_compiled(changed)) == []
    for row in range(0, 256, 8):
        codes = np.arange(row - 128, row - 120, dtype=np.int8).reshape(1, 8)
        (wanted,), (got,) = (runtimes.runner("litert", one)([codes] * 3) for one in (data, changed))
        np.testing.assert_array_equal(wanted, got)


def test_what_is_to_stay_in_float_stays() -> None:
    data = _in_floats()
    assert as_integers(data, ["whole"]) is data
