# SPDX-License-Identifier: Apache-2.0
"""A network behind a front end of custom operators is quantized; the front end keeps its arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.convert.test_session import signal_model
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bundle import dequantize
from tinyserve.compiler.graph.reader import read
from tinyserve.convert import Options, convert
from tinyserve.convert.check import debug
from tinyserve.convert.quantize import signal_front
from tinyserve.convert.tflite.facts import inspect
from tinyserve.errors import UnsupportedError

WEIGHTS = np.random.default_rng(0).normal(0, 0.3, (4, 18)).astype(np.float32)
WINDOW = (4096 * np.hanning(18)).astype(np.int16)


def spectrum_network() -> bytes:
    """Floats through SignalRfft to a dense layer."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 16), "float32", name="audio")
    features = graph.tensor((1, 18), "float32", name="features")
    options = bytes(flexbuffers.Dumps({"T": 0, "fft_length": 16}))
    graph.op("SignalRfft", [x], [features], custom_options=options)
    y = graph.tensor((1, 4), "float32", name="net/dense/MatMul")
    graph.op("FULLY_CONNECTED", [features, graph.constant(WEIGHTS), None], [y])
    graph.output(y)
    return model.build()


def windowed_network() -> bytes:
    """16-bit audio through SignalWindow and CAST to a dense layer; the windowed audio is an output, too."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 18), "int16", name="audio")
    windowed = graph.tensor((1, 18), "int16", name="windowed")
    options = bytes(flexbuffers.Dumps({"shift": 12}))
    graph.op("SignalWindow", [x, graph.constant(WINDOW)], [windowed], custom_options=options)
    floats = graph.tensor((1, 18), "float32", name="floats")
    graph.op("CAST", [windowed], [floats], in_data_type="int16", out_data_type="float32")
    y = graph.tensor((1, 4), "float32", name="net/dense/MatMul")
    graph.op("FULLY_CONNECTED", [floats, graph.constant(WEIGHTS), None], [y])
    graph.output(windowed)
    graph.output(y)
    return model.build()


def test_the_front_end_ends_where_the_networks_floats_begin() -> None:
    assert signal_front.operators_of(read(spectrum_network())) == [0]
    assert signal_front.operators_of(read(windowed_network())) == [0, 1]


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_a_network_behind_a_spectrum_is_quantized(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "m.tflite").write_bytes(spectrum_network())
    samples = np.random.default_rng(1).uniform(-1, 1, (60, 16)).astype(np.float32)
    np.save(tmp_path / "x.npy", samples)
    made = convert(
        tmp_path / "m.tflite", representative=tmp_path / "x.npy", quantize=scheme, output=tmp_path / "b"
    )
    assert (made.manifest.quantize, made.manifest.inputs[0].dtype) == (scheme, "float32")
    operators = inspect(made.model_bytes(), "m").model.main.nodes
    assert [op.name for op in operators] == ["SignalRfft", "QUANTIZE", "FULLY_CONNECTED"]
    assert made.manifest.expected_from.startswith("tflite-micro")
    held = made.samples()
    spectrum = np.fft.rfft(held.inputs[0])
    features = np.stack([spectrum.real, spectrum.imag], axis=-1).reshape(len(held), 18)
    outputs = dequantize(held.expected[0], made.manifest.outputs[0])
    wanted = features @ WEIGHTS.T
    assert np.linalg.norm(outputs - wanted) < 0.05 * np.linalg.norm(wanted)
    assert any("SignalRfft" in note and "stays as it is" in note for note in made.manifest.notes)
    found = debug.diagnose(made)
    assert {layer.tensor for layer in found.layers} >= {"net/dense/MatMul"}
    assert found.suspects == []


def test_integers_pass_through_the_front_end_and_out(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(windowed_network())
    samples = np.random.default_rng(1).integers(-9000, 9000, (60, 18)).astype(np.int16)
    np.save(tmp_path / "x.npy", samples)
    made = convert(tmp_path / "m.tflite", representative=tmp_path / "x.npy", output=tmp_path / "b")
    assert made.manifest.inputs[0].dtype == "int16"
    assert [info.dtype for info in made.manifest.outputs] == ["int16", "int8"]
    held = made.samples()
    windowed, scores = held.expected
    outputs = dequantize(scores, made.manifest.outputs[1])
    wanted = windowed.astype(np.float32) @ WEIGHTS.T
    assert np.abs(outputs - wanted).max() < 0.02 * np.abs(wanted).max()
    original = inspect(made.path.joinpath("original.tflite").read_bytes(), "o")
    assert [info.name for info in original.outputs] == [info.name for info in made.manifest.outputs]


def test_without_a_network_there_is_nothing_to_quantize(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(signal_model("SignalRfft", {"T": 0, "fft_length": 16}, 18))
    with pytest.raises(UnsupportedError, match="no network is behind them") as caught:
        convert(tmp_path / "m.tflite", representative="random", output=tmp_path / "b", options=Options())
    assert "--quantize float32" in caught.value.hint
