# SPDX-License-Identifier: Apache-2.0
"""What runs the original: LiteRT, and for operators that it lacks TFLM or the compiled model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.convert import Options, convert
from tinyserve.convert.worker import messages
from tinyserve.convert.worker.child import Crashed, Worker
from tinyserve.errors import UnsupportedError


def signal_model(op: str, options: dict[str, int], outputs: int) -> bytes:
    """One of TFLM's own operators over 16 floats."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 16), "float32")
    y = graph.tensor((1, outputs), "float32")
    graph.op(op, [x], [y], custom_options=bytes(flexbuffers.Dumps(options)))
    graph.output(y)
    return model.build()


def test_operators_that_litert_lacks_are_run_by_tflm(tmp_path: Path) -> None:
    source = tmp_path / "rfft.tflite"
    source.write_bytes(signal_model("SignalRfft", {"T": 0, "fft_length": 16}, 18))
    values = np.random.default_rng(0).uniform(-1, 1, (20, 16)).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    made = convert(source, output=tmp_path / "b", quantize="float32", samples=tmp_path / "x.npy")
    (note,) = (note for note in made.manifest.notes if "LiteRT" in note)
    assert note.startswith("the original was run by tflite-micro")
    assert "SignalRfft" in note
    assert made.manifest.accuracy[0].max_error == 0.0
    held = made.samples()
    spectrum = np.fft.rfft(held.inputs[0])
    expected = np.stack([spectrum.real, spectrum.imag], axis=-1).reshape(len(held), 18)
    np.testing.assert_allclose(held.expected[0], expected, atol=1e-4)


def test_an_operator_that_nothing_here_runs_is_named(tmp_path: Path) -> None:
    source = tmp_path / "odd.tflite"
    source.write_bytes(signal_model("SignalOddity", {}, 16))
    with pytest.raises(UnsupportedError, match="SignalOddity"):
        convert(source, output=tmp_path / "b", quantize="float32", options=Options(engine="tflm"))
    assert not (tmp_path / "b").exists()


def conditional_model() -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x, flag = graph.input((1, 4), "float32"), graph.constant(np.array([True]))
    y = graph.tensor((1, 4), "float32")
    graph.op("IF", [flag, x], [y], then_subgraph_index=1, else_subgraph_index=2)
    graph.output(y)
    for name in ("NEG", "ABS"):
        branch = model.graph(name)
        start, end = branch.input((1, 4), "float32"), branch.tensor((1, 4), "float32")
        branch.op(name, [start], [end])
        branch.output(end)
    return model.build()


def plain_model() -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
    graph.op("RELU", [x], [y])
    graph.output(y)
    return model.build()


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        (conditional_model, "inside of IF #0", "without a loop"),
        (plain_model, "signal 11", "please report it"),
    ],
)
def test_a_crash_of_the_quantizer_is_not_blamed_on_the_file(
    model: Any, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read, checked and run by then, and float32 takes it."""
    ask = Worker.ask

    def crash(self: Worker, request: messages.Request, stage: str) -> messages.Done:
        if isinstance(request, messages.Quantize):
            raise Crashed(f"{stage}: the converter's process crashed (signal 11)", "export it again")
        return ask(self, request, stage)

    monkeypatch.setattr(Worker, "ask", crash)
    (tmp_path / "m.tflite").write_bytes(model())
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32))
    with pytest.raises(Crashed, match=message) as caught:
        convert(tmp_path / "m.tflite", representative=tmp_path / "d.npz", output=tmp_path / "b")
    assert caught.value.hint.startswith("--quantize float32 takes the model as it is")
    assert hint in caught.value.hint
