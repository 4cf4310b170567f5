# SPDX-License-Identifier: Apache-2.0
"""Layers that no 16-bit kernel computes stay in float by themselves, and the report names them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.graph.reader import read
from tinyserve.convert import convert
from tinyserve.convert.quantize.activations import without_kernel_in_16_bits


def _model() -> bytes:
    """Running sums, which only int8 and float32 have, a maximum, a layer."""
    r = np.random.default_rng(0)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4, 6), "float32", name="x")
    sums = graph.tensor((1, 4, 6), "float32", name="sums")
    graph.op("CUMSUM", [x, graph.constant(np.array(1, np.int32))], [sums])
    most = graph.tensor((1, 6), "float32", name="most")
    graph.op("REDUCE_MAX", [sums, graph.constant(np.array([1], np.int32))], [most], keep_dims=False)
    y = graph.tensor((1, 3), "float32", name="y")
    weights = [graph.constant(r.normal(size=shape).astype(np.float32)) for shape in ((3, 6), (3,))]
    graph.op("FULLY_CONNECTED", [most, *weights], [y])
    graph.output(y)
    return model.build()


def test_layers_without_a_kernel_in_16_bits_are_found() -> None:
    assert without_kernel_in_16_bits(read(_model())) == ["sums"]


def test_a_16_bit_model_with_such_a_layer_converts_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(_model())
    data = np.random.default_rng(1).normal(size=(40, 4, 6)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=data)
    made = convert(
        tmp_path / "m.tflite",
        quantize="int16x8",
        representative=tmp_path / "data.npz",
        output=tmp_path / "made",
    )
    types = {node.name: node.outputs[0].dtype.value for node in read(made.model_bytes()).main.nodes}
    assert (types["CUMSUM"], types["FULLY_CONNECTED"]) == ("float32", "int16")
    assert any("stays in float32" in note and "CUMSUM" in note for note in made.manifest.notes)
    assert all(output.sqnr_db is None or output.sqnr_db > 35 for output in made.manifest.accuracy)
