# SPDX-License-Identifier: Apache-2.0
"""LSTMs whose states are set to zeros in each inference: the file says the same in every runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert.quantize import quantizer
from tinyserve.convert.tflite import sequence_lstm
from tinyserve.convert.tflite.sequence_lstm import Cell, Place
from tinyserve.convert.worker import runtimes
from tinyserve.convert.worker.messages import Quantize

Array = npt.NDArray[Any]
STEPS, INPUTS, UNITS = 6, 3, 5


def _cell(seed: int) -> Cell:
    draw = np.random.default_rng(seed)
    shapes = (4, UNITS, INPUTS), (4, UNITS, UNITS), (4, UNITS)
    weights, recurrent, bias = (draw.normal(0, 0.5, shape).astype(np.float32) for shape in shapes)
    return Cell(weights, recurrent, bias)


def _model() -> bytes:
    """A layer between two changes of sign, the graph cut in its place."""
    writer = GraphWriter("test")
    x, cut = (
        writer.tensor("x", (1, STEPS, INPUTS), "float32"),
        writer.tensor("cut", (1, STEPS, UNITS), "float32"),
    )
    read_, y = (
        writer.tensor("read", (1, STEPS, INPUTS), "float32"),
        writer.tensor("y", (1, STEPS, UNITS), "float32"),
    )
    sign = writer.constant("sign", np.array([-1], np.float32))
    writer.builtin("MUL", "MulOptions", [cut, sign], y)
    writer.builtin("MUL", "MulOptions", [x, sign], read_)
    data = writer.build([x, cut], [y, read_])
    return sequence_lstm.inserted(data, [Place("layer", read_, cut, _cell(1))])


def _wanted(cell: Cell, x: Array) -> Array:
    hidden, state, rows = np.zeros(UNITS), np.zeros(UNITS), []
    for row in -x[0]:
        gates = [cell.weights[g] @ row + cell.recurrent[g] @ hidden + cell.bias[g] for g in range(4)]
        new, kept, out = (1 / (1 + np.exp(-gates[g])) for g in (0, 1, 3))
        state = kept * state + new * np.tanh(gates[2])
        hidden = out * np.tanh(state)
        rows.append(-hidden)
    return np.array(rows)[None]


@pytest.fixture
def samples() -> Array:
    return np.random.default_rng(2).normal(size=(40, 1, STEPS, INPUTS)).astype(np.float32)


@pytest.mark.parametrize("runtime", ["litert", "tflm", "compiled"])
def test_each_inference_begins_with_zeros(runtime: str, samples: Array) -> None:
    data = _model()
    run = HostModel(compile_model(data)).run if runtime == "compiled" else runtimes.runner(runtime, data)
    for sample in (samples[0], samples[1], samples[0]):
        (got,) = run([sample])
        np.testing.assert_allclose(got.reshape(1, STEPS, UNITS), _wanted(_cell(1), sample), atol=1e-5)


def test_such_a_model_keeps_no_state() -> None:
    data = _model()
    assert not read(data).keeps_state
    assert read(sequence_lstm.going_on(data)).keeps_state
    assert sequence_lstm.renews(data)
    assert not sequence_lstm.renews(sequence_lstm.going_on(data))


@pytest.mark.parametrize(("scheme", "least_db"), [("int8", 30.0), ("int16x8", 38.0)])
def test_integers_are_tflms_and_near_the_float_model(
    scheme: str, least_db: float, samples: Array, tmp_path: Any
) -> None:
    source = tmp_path / "m.tflite"
    source.write_bytes(_model())
    request = Quantize(source, tmp_path / "q.tflite", tmp_path / "s.npz", scheme)
    made = quantizer.quantize(request, [samples[:, 0]], lambda *_: None)
    main = read(made).main
    (layer,) = (node for node in main.nodes if node.name == sequence_lstm.NAME)
    hidden, output = layer.inputs[sequence_lstm.HIDDEN], layer.output
    assert hidden is not None
    assert hidden.scale == output.scale
    assert not read(made).keeps_state
    given, taken = main.inputs[0], main.outputs[0]
    most = 127 if scheme == "int8" else 32767
    ours, tflm = HostModel(compile_model(made)).run, runtimes.runner("tflm", made)
    wanted, real = [], []
    for sample in samples:
        integers = np.clip(np.round(sample / given.scale) + given.zero_point, -most - 1, most)
        x = integers.astype(given.dtype.value)
        got = tflm([x])[0]
        np.testing.assert_array_equal(ours([x])[0].reshape(got.shape), got)
        wanted.append(_wanted(_cell(1), sample))
        real.append((got.astype(np.float64) - taken.zero_point) * taken.scale)
    error = np.square(np.array(real) - np.array(wanted)).sum()
    assert 10 * np.log10(np.square(wanted).sum() / error) > least_db
