# SPDX-License-Identifier: Apache-2.0
"""Features of unlike ranges keep their digits: each is scaled in float in front of the first dense layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bundle import Bundle
from tinyserve.compiler.graph.reader import read
from tinyserve.convert import convert
from tinyserve.convert.quantize import scaling_front
from tinyserve.convert.quantize.scaling_front import STANDARDIZED, standardizations
from tinyserve.convert.tflite.standardize import standardized

Floats = npt.NDArray[np.float32]
WEIGHTS = np.random.default_rng(3).normal(0, 1, (3, 4))


def weather(samples: int = 120) -> Floats:
    """Pressure in pascals, temperature in °C, a share, and a constant."""
    generator = np.random.default_rng(samples)
    columns = [
        generator.normal(101_325, 800, samples),
        generator.normal(15, 8, samples),
        generator.uniform(0, 1, samples),
        np.full(samples, 3.0),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def network(centred: bool = False, bias: bool = True, heads: int = 1) -> bytes:
    """Dense layers over the raw features, with the scaler in their weights as converters leave it."""
    deviation = np.array([800, 8, 0.3, 1])
    middle = np.array([101_325, 15, 0.5, 3])
    weights = (WEIGHTS / deviation).astype(np.float32)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "float32", name="weather")
    if centred:
        shifted = graph.tensor((1, 4), "float32", name="shifted")
        graph.op("SUB", [x, graph.constant(middle.astype(np.float32))], [shifted])
        x = shifted
    offset = (np.zeros(3) if centred else -(weights.astype(np.float64) @ middle)).astype(np.float32)
    for head in range(heads):
        y = graph.tensor((1, 3), "float32", name=f"head{head}")
        graph.op(
            "FULLY_CONNECTED", [x, graph.constant(weights), graph.constant(offset) if bias else None], [y]
        )
        graph.output(y)
    return model.build()


def quantized(tmp_path: Path, model: bytes, samples: Floats, scheme: str = "int8") -> Bundle:
    (tmp_path / "m.tflite").write_bytes(model)
    np.save(tmp_path / "x.npy", samples)
    return convert(
        tmp_path / "m.tflite", representative=tmp_path / "x.npy", quantize=scheme, output=tmp_path / "b"
    )


@pytest.mark.parametrize("centred", [False, True], ids=["in the weights", "behind a subtraction"])
@pytest.mark.parametrize("heads", [1, 2])
def test_a_dense_network_on_unlike_features_is_close_to_the_original(
    tmp_path: Path, centred: bool, heads: int
) -> None:
    made = quantized(tmp_path, network(centred, heads=heads), weather())
    assert made.manifest.inputs[0].dtype == "float32"
    assert all(entry.sqnr_db > 35 for entry in made.manifest.accuracy)
    assert made.manifest.expected_from.startswith("tflite-micro")
    assert any("features of unlike ranges" in note for note in made.manifest.notes)


def test_features_that_are_alike_stay_integers_from_the_start(tmp_path: Path) -> None:
    made = quantized(tmp_path, network(), np.random.default_rng(4).normal(0, 1, (60, 4)).astype(np.float32))
    assert made.manifest.inputs[0].dtype == "int8"
    assert not any("unlike" in note for note in made.manifest.notes)


def test_sixteen_bits_have_levels_for_more(tmp_path: Path) -> None:
    samples = np.random.default_rng(4).normal(0, [100] + 7 * [1], (80, 8)).astype(np.float32)
    model = read(dense_behind(None, np.random.default_rng(6).normal(0, 0.2, (4, 8)).astype(np.float32)))
    assert standardizations(model, [samples], "int8")
    assert not standardizations(model, [samples], "int16x8")
    assert not standardizations(model, [samples], "float32")


@pytest.mark.parametrize("seed", range(20))
def test_the_float_model_computes_the_same_behind_the_steps(seed: int) -> None:
    """In float64, so that nothing but the steps' own rounding of weights and biases remains."""
    generator = np.random.default_rng(seed)
    spread = 10.0 ** generator.uniform(-4, 4, 4)
    samples = (generator.normal(0, 1, (50, 4)) * spread + generator.normal(0, 3, 4) * spread).astype(
        np.float32
    )
    data = network(centred=bool(seed % 2), bias=bool(seed % 3))
    steps = standardizations(read(data), [samples], "int8")
    if not steps:
        return
    made = standardized(data, steps)
    before, after = (run(model, samples.astype(np.float64)) for model in (data, made))
    scale = np.abs(WEIGHTS).max() * (np.abs(samples) / np.array([800, 8, 0.3, 1])).max()
    assert np.abs(before - after).max() < 1e-5 * max(scale, 1)
    edge = next(t for node in read(made).main.nodes for t in node.outputs if t.name.endswith(STANDARDIZED))
    assert edge.shape == (1, 4)


def run(data: bytes, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The networks of this file, by their definition."""
    graph = read(data).main
    values = {id(graph.inputs[0]): x}
    for node in graph.nodes:
        constants = [None if t is None or t.data is None else t.data.astype(np.float64) for t in node.inputs]
        first = values[id(node.inputs[0])]
        second = constants[1]
        assert second is not None
        if node.name == "FULLY_CONNECTED":
            offset = constants[2] if len(constants) > 2 else None
            result = first @ second.T + (0 if offset is None else offset)
        else:
            result = first - second if node.name == "SUB" else first * second
        values[id(node.outputs[0])] = result
    return values[id(graph.outputs[0])]


def test_factors_are_powers_of_two_so_that_weights_lose_nothing() -> None:
    steps = standardizations(read(network()), [weather()], "int8")
    mantissas = np.frexp(np.array(steps[0].factor))[0]
    assert (mantissas == 0.5).all()


def test_an_input_that_no_dense_layer_reads_is_named_with_its_scale() -> None:
    said = scaling_front.note(weather(), "weather", "int8")
    assert said.startswith("input 'weather': one scale of 4") and "for feature 2 with σ 0.2" in said
    assert scaling_front.note(np.random.default_rng(4).normal(0, 1, (60, 4)), "x", "int8") == ""


def test_counts_and_one_hot_features_keep_their_values_as_integers() -> None:
    """Rarely other than zero, so that their deviation is small, and still nothing of them is lost."""
    pixels = np.random.default_rng(4).integers(0, 17, (200, 64)) * (
        np.random.default_rng(4).random((200, 64)) < np.linspace(0.005, 1, 64)
    )
    assert scaling_front.blurred(pixels.astype(np.float32), "int8") == []
    one_hot = np.eye(9, dtype=np.float32)[np.random.default_rng(4).integers(0, 9, 300)]
    assert scaling_front.blurred(np.hstack([one_hot, 20 * one_hot[:, :1]]), "int8") == []


def test_a_constant_behind_arithmetic_is_no_feature_with_a_tiny_deviation() -> None:
    samples = weather()
    samples[:, 3] = np.float32(0.0998) + np.float32(1e-9) * np.arange(len(samples))
    steps = standardizations(read(network(centred=True)), [samples], "int8")
    assert steps and max(steps[0].factor) < 64


def test_images_and_a_single_feature_are_left_alone() -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (20, 8, 8, 3)).astype(np.float32)
    assert scaling_front.blurred(pixels, "int8") == []
    assert scaling_front.blurred(np.full((5, 1), 7.0), "int8") == []


def sparse_pixels(samples: int = 200) -> Floats:
    """Counts from 0 to 16 of which three are the same in all samples."""
    values = np.random.default_rng(5).integers(0, 17, (samples, 8)).astype(np.float32)
    values[:, :3] = 0
    return values


def dense_behind(factors: Floats | None, weights: Floats) -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8), "float32", name="pixels")
    if factors is not None:
        scaled = graph.tensor((1, 8), "float32", name="scaled")
        graph.op("MUL", [x, graph.constant(factors[None])], [scaled])
        x = scaled
    y = graph.tensor((1, len(weights)), "float32", name="scores")
    graph.op("FULLY_CONNECTED", [x, graph.constant(weights), None], [y])
    graph.output(y)
    return model.build()


@pytest.mark.parametrize("where", ["a multiplication", "weights"])
def test_features_that_never_varied_in_training_do_not_cost_the_others_their_digits(
    where: str, tmp_path: Path
) -> None:
    """Normalization divides them by 1e-7; a scaler folded into weights makes theirs outliers."""
    weights = np.random.default_rng(6).normal(0, 0.2, (4, 8)).astype(np.float32)
    factors = np.where(np.arange(8) < 3, 1e7, 0.2).astype(np.float32)
    outliers = weights * np.where(np.arange(8) < 3, 100, 1).astype(np.float32)
    data = dense_behind(factors, weights) if where == "a multiplication" else dense_behind(None, outliers)
    made = quantized(tmp_path, data, sparse_pixels())
    assert made.manifest.accuracy[0].sqnr_db is not None
    assert made.manifest.accuracy[0].sqnr_db > 35


def test_alike_weights_and_factors_need_no_step_in_front() -> None:
    weights = np.random.default_rng(6).normal(0, 0.2, (4, 8)).astype(np.float32)
    alike = np.linspace(0.1, 0.3, 8, dtype=np.float32)
    for data in (dense_behind(None, weights), dense_behind(alike, weights)):
        assert standardizations(read(data), [sparse_pixels()], "int8") == []
