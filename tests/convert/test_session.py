# SPDX-License-Identifier: Apache-2.0
"""What runs the original: LiteRT, and for operators that it lacks TFLM or the compiled model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.convert import Options, convert
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
