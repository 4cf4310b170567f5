# SPDX-License-Identifier: Apache-2.0
"""Keras' LSTM layers become one operator each, whose answers are Keras' own; others are laid out by steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyserve.compiler.graph.reader import read
from tinyserve.convert.frameworks import keras, saved_model
from tinyserve.convert.worker import runtimes
from tinyserve.convert.worker.loaded import Loaded
from tinyserve.convert.worker.messages import LoadModel

Build = Callable[[Any], Any]
LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"


def _states(k: Any, cells: bool) -> Any:
    given = k.Input((9, 4))
    every, hidden, cell = k.layers.LSTM(6, return_sequences=True, return_state=True)(given)
    last = k.layers.LSTM(6)(given, initial_state=[hidden, cell]) if cells else hidden
    return k.Model(given, k.layers.concatenate([k.layers.GlobalAveragePooling1D()(every), last]))


def _shared(k: Any) -> Any:
    layer, given = k.layers.LSTM(5, return_sequences=True), k.Input((6, 5))
    return k.Model(given, layer(layer(given)))


ONE_OPERATOR: dict[str, tuple[Build, int]] = {
    "a long sequence": (lambda k: k.Sequential([k.Input((128, 8)), k.layers.LSTM(7), k.layers.Dense(2)]), 1),
    "both directions": (
        lambda k: k.Sequential([
            k.Input((7, 4)), k.layers.Bidirectional(k.layers.LSTM(5, return_sequences=True)),
            k.layers.Bidirectional(k.layers.LSTM(3)),
        ]),
        4,
    ),
    "backwards, no biases": (
        lambda k: k.Sequential([k.Input((7, 4)), k.layers.LSTM(5, use_bias=False, go_backwards=True)]), 1,
    ),
    "distributed over time": (
        lambda k: k.Sequential([k.Input((3, 5, 4)), k.layers.TimeDistributed(k.layers.LSTM(6)),
                                k.layers.LSTM(5)]), 4,
    ),
    "a model inside": (
        lambda k: k.Sequential([k.Input((6, 5)), k.Sequential([k.Input((6, 5)), k.layers.LSTM(4)])]), 1,
    ),
    "a cell": (lambda k: k.Sequential([k.Input((6, 5)), k.layers.RNN(k.layers.LSTMCell(4))]), 1),
    "its last hidden state": (lambda k: _states(k, False), 1),
    "called twice": (_shared, 2),
}  # fmt: skip
LAID_OUT: dict[str, Build] = {
    "states that are given": lambda k: _states(k, True),
    "a mask": lambda k: k.Sequential(
        [k.Input((5,)), k.layers.Embedding(20, 6, mask_zero=True), k.layers.LSTM(4)]
    ),
    "other activations": lambda k: k.Sequential(
        [k.Input((5, 3)), k.layers.LSTM(4, recurrent_activation="hard_sigmoid")]
    ),
    "one step": lambda k: k.Sequential([k.Input((1, 3)), k.layers.LSTM(4)]),
}


def _loaded(build: Build, directory: Path) -> Loaded:
    tf = pytest.importorskip("tensorflow")
    tf.keras.utils.set_random_seed(3)
    build(tf.keras).save(directory / "m.keras")
    return keras.load(LoadModel("keras", directory / "m.keras", directory / "m.tflite"), lambda *_: None)


def _check(loaded: Loaded) -> Counter[str]:
    """Samples one after the other are answered as by Keras. How often each operator is there."""
    model, run = read(loaded.tflite), runtimes.runner("litert", loaded.tflite)
    assert not model.keeps_state
    assert loaded.original is not None
    draw = np.random.default_rng(4)
    for _ in range(3):
        shape = model.main.inputs[0].shape
        tokens = model.main.inputs[0].dtype.value == "int32"
        sample = (draw.integers(0, 3, shape) if tokens else draw.normal(size=shape)).astype(np.float32)
        for wanted, got in zip(loaded.original([sample]), run([sample]), strict=True):
            np.testing.assert_allclose(got.reshape(wanted.shape), wanted, atol=1e-5)
    return Counter(node.name for node in model.main.nodes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_OPERATOR)
def test_an_lstm_from_zeros_is_one_operator(name: str, tmp_path: Path) -> None:
    build, count = ONE_OPERATOR[name]
    loaded = _loaded(build, tmp_path)
    found = _check(loaded)
    assert found[LSTM] == count
    assert found["LOGISTIC"] == 0
    assert not loaded.notes


@pytest.mark.slow
@pytest.mark.parametrize("name", LAID_OUT)
def test_other_lstms_are_laid_out(name: str, tmp_path: Path) -> None:
    found = _check(_loaded(LAID_OUT[name], tmp_path))
    assert found["TANH"] > 0


@pytest.mark.slow
def test_what_many_steps_cost_is_said(tmp_path: Path) -> None:
    loaded = _loaded(lambda k: k.Sequential([k.Input((70, 2)), k.layers.GRU(2, name="memory")]), tmp_path)
    assert "unrolled over 70 steps (memory)" in loaded.notes[0]


@pytest.mark.slow
def test_loops_of_a_saved_model_are_laid_out(tmp_path: Path) -> None:
    """Of which nothing but the graph is left."""
    tf = pytest.importorskip("tensorflow")
    k = tf.keras
    layers = [
        k.Input((5, 4)), k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True)),
        k.layers.LSTM(4, return_sequences=True), k.layers.SimpleRNN(3),
    ]  # fmt: skip
    k.Sequential(layers).export(tmp_path / "saved", verbose=False)
    request = LoadModel("saved_model", tmp_path / "saved", tmp_path / "m.tflite")
    loaded = saved_model.load(request, lambda *_: None)
    found = _check(loaded)
    assert found["WHILE"] == 0
    assert "laid out one after the other" in loaded.notes[0]
