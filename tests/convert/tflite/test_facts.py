# SPDX-License-Identifier: Apache-2.0
"""What a .tflite is: its scheme, what is wrong with it, and what its weights are like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bundle import TensorInfo
from tinyserve.convert import convert
from tinyserve.convert.tflite.facts import inspect, left_in_float, mlperf_id, weights
from tinyserve.datasets import synthetic
from tinyserve.errors import ModelError, TinyserveError, UnsupportedError

WEIGHTS = np.array([[0, 2, 0], [2, 0, -1]], np.int8)


def fully_connected(
    activations: str = "int8", values: np.ndarray = WEIGHTS, quantized_weights: bool = True
) -> bytes:
    """y = x W^T."""
    scale = None if activations == "float32" else 0.5
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 3), activations, scale=scale)
    w = graph.constant(values, scale=0.25 if quantized_weights else None)
    y = graph.tensor((1, 2), activations, scale=scale)
    graph.op("FULLY_CONNECTED", [x, w, None], [y])
    graph.output(y)
    return model.build()


@pytest.mark.parametrize(("activations", "scheme"), [("int8", "int8"), ("int16", "int16x8")])
def test_the_scheme_is_that_of_the_activations(activations: str, scheme: str) -> None:
    found = inspect(fully_connected(activations), "m")
    assert found.scheme == scheme
    assert found.inputs == [TensorInfo(found.inputs[0].name, [1, 3], activations, 0.5, 0)]
    assert found.ops == {"FULLY_CONNECTED": 1}


def test_weights_that_are_an_input_are_given_as_integers() -> None:
    """Their scales lie along the first axis, those of an input's features along the last."""
    model = ModelBuilder()
    graph = model.graph()
    x, w = graph.input((1, 3), "int8", 0.5), graph.input((2, 3), "int8", [0.25, 0.5], axis=0)
    y = graph.tensor((1, 2), "int8", 0.5)
    graph.op("FULLY_CONNECTED", [x, w, None], [y])
    graph.output(y)
    given = inspect(model.build(), "m").inputs
    assert [(info.scale, info.scales) for info in given] == [(0.5, []), (0.0, [])]
    first, second = synthetic.pattern(given, 2).inputs
    assert first.dtype == np.float32 and second.dtype == np.int8 and second.shape == (2, 2, 3)


def test_float_models_are_float() -> None:
    data = fully_connected("float32", WEIGHTS.astype(np.float32), quantized_weights=False)
    found = inspect(data, "m")
    assert found.scheme == "float32"
    assert found.inputs[0].scale == 0.0
    assert len(left_in_float(found.model)) == 1
    assert left_in_float(inspect(fully_connected(), "m").model) == []


def test_integer_weights_under_float_activations_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"m: dynamic-range.*FULLY_CONNECTED #0") as caught:
        inspect(fully_connected("float32"), "m")
    assert "original" in caught.value.hint


def half_precision(widened: bool = True) -> bytes:
    """y = x W^T + 1, with a float16 W, and a DEQUANTIZE behind it."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 3), "float32")
    w = graph.constant(HALVES, name="w")
    y = graph.tensor((1, 2), "float32")
    one = graph.constant(np.ones(2, np.float32))
    wide = graph.tensor((2, 3), "float32")
    if widened:
        graph.op("DEQUANTIZE", [w], [wide])
    graph.op("FULLY_CONNECTED", [x, wide if widened else w, one], [y])
    graph.output(y)
    return model.build()


HALVES = np.array([[0.1, 2, 6e-8], [2, 65504, -1 / 3]], np.float16)


def test_half_precision_becomes_float32_without_another_output(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(half_precision())
    made = convert(tmp_path / "m.tflite", quantize="float32", output=tmp_path / "b")
    model = inspect(made.model_bytes(), "made").model
    assert [op.name for op in model.main.nodes] == ["FULLY_CONNECTED"]
    weights = next(tensor for tensor in model.main.tensors if tensor.name == "w")
    assert weights.data is not None
    np.testing.assert_array_equal(weights.data, HALVES.astype(np.float32))
    inputs = made.samples().inputs[0]
    wanted = inputs.astype(np.float64) @ HALVES.astype(np.float64).T + 1
    np.testing.assert_allclose(made.samples().expected[0], wanted, rtol=1e-5)
    assert any("half precision" in note for note in made.manifest.notes)


def test_half_precision_can_be_quantized(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(half_precision())
    made = convert(tmp_path / "m.tflite", representative="random", output=tmp_path / "b")
    assert made.manifest.inputs[0].dtype == "int8"
    assert "DEQUANTIZE" not in made.manifest.ops


def test_operators_that_compute_in_half_precision_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(half_precision(widened=False))
    with pytest.raises(UnsupportedError, match="half precision"):
        convert(tmp_path / "m.tflite", quantize="float32", output=tmp_path / "b")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(value: float) -> None:
    values = WEIGHTS.astype(np.float32)
    values[1, 1] = value
    with pytest.raises(ModelError, match="hold 1 value that is NaN or infinite"):
        inspect(fully_connected("float32", values, quantized_weights=False), "m")


def test_pruned_and_clustered_weights_are_reported(tmp_path: Path) -> None:
    found = weights(inspect(fully_connected(), "m").model)
    assert [(w.elements, w.zeros, w.distinct, w.dtype) for w in found] == [(6, 3, 3, "int8")]
    (tmp_path / "m.tflite").write_bytes(fully_connected())
    assert convert(tmp_path / "m.tflite", output=tmp_path / "b").manifest.weights == found


def test_weights_of_4_bits_keep_their_values(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 3), "int8", scale=0.5)
    w = graph.constant(WEIGHTS, dtype="int4", scale=0.25)
    y = graph.tensor((1, 2), "int8", scale=0.5)
    graph.op("FULLY_CONNECTED", [x, w, None], [y])
    graph.output(y)
    (tmp_path / "m.tflite").write_bytes(model.build())
    made = convert(tmp_path / "m.tflite", output=tmp_path / "b")
    assert [(w.dtype, w.zeros, w.distinct) for w in made.manifest.weights] == [("int4", 3, 3)]
    assert any("4-bit" in note for note in made.manifest.notes)


def test_pruned_weights_stay_pruned(models: Path, tmp_path: Path) -> None:
    made = convert(models / "pruned.tflite", representative="random", output=tmp_path / "b")
    quantized = next(w for w in made.manifest.weights if w.elements == 64 * 32)
    assert quantized.dtype == "int8"
    assert quantized.zeros >= 64 * 32 // 2


def test_known_benchmark_models_are_told_by_their_shapes() -> None:
    def info(*shape: int) -> list[TensorInfo]:
        return [TensorInfo("t", list(shape), "int8")]

    assert mlperf_id(info(1, 49, 10, 1), info(1, 12)) == "kws01"
    assert mlperf_id(info(1, 640), info(1, 640)) == "ad01"
    assert mlperf_id(info(1, 640), info(1, 10)) == ""
    assert mlperf_id(info(1, 640) * 2, info(1, 640)) == ""


@pytest.mark.parametrize("keep", [8, 9, 15, 16, 40, 100, 200, 300])
def test_truncated_files_end_in_one_message(tmp_path: Path, keep: int) -> None:
    (tmp_path / "cut.tflite").write_bytes(fully_connected()[:keep])
    with pytest.raises(ModelError, match=r"cut\.tflite"):
        convert(tmp_path / "cut.tflite", output=tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("seed", range(40))
def test_hostile_files_never_end_in_a_traceback(seed: int) -> None:
    generator = np.random.default_rng(seed)
    data = bytearray(fully_connected())
    for place in generator.integers(8, len(data), 6):
        data[place] = generator.integers(0, 256)
    try:
        inspect(bytes(data), "m")
    except TinyserveError as error:
        assert error.message.startswith("m:")
