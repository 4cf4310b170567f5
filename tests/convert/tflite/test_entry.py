# SPDX-License-Identifier: Apache-2.0
"""One of several signatures, and float32 files of what was quantized for phones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.graph import reader

pytest.importorskip("ai_edge_litert")

from tinyserve import workflow
from tinyserve.convert import convert
from tinyserve.convert.settings import Options
from tinyserve.convert.tflite import entry, facts, real
from tinyserve.convert.worker import runtimes
from tinyserve.errors import UsageError


def two_signatures() -> bytes:
    """ "negate" of 3 values and "absolute" of 4."""
    model = ModelBuilder()
    for name, op, size in (("negate", "NEG", 3), ("absolute", "ABS", 4)):
        graph = model.graph(name)
        x, y = graph.input((1, size), "float32"), graph.tensor((1, size), "float32")
        graph.op(op, [x], [y])
        graph.output(y)
        model.signature(name, {"x": x}, {"y": y}, subgraph=len(model.graphs) - 1)
    return model.build()


def test_the_chosen_signature_is_the_model() -> None:
    read = reader.read(entry.chosen(two_signatures(), "absolute"))
    assert [op.name for op in read.main.nodes] == ["ABS"]
    assert read.signatures == {"absolute": 0}
    assert len(read.graphs) == 1


def test_several_signatures_are_named_unless_one_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(two_signatures())
    with pytest.raises(UsageError, match="absolute, negate") as caught:
        convert(path, output=tmp_path / "b", quantize="float32")
    assert "--signature absolute" in caught.value.hint
    with pytest.raises(UsageError, match="no signature 'other'"):
        convert(path, output=tmp_path / "b", quantize="float32", options=Options(signature="other"))
    with pytest.raises(UsageError, match="absolute, negate"):
        workflow.model_bytes(path, workflow.Conversion(), lambda *_: None)
    made = convert(path, output=tmp_path / "b", quantize="float32", options=Options(signature="negate"))
    assert made.manifest.ops == {"NEG": 1}


def test_uint8_becomes_float32_of_the_same_values() -> None:
    rng = np.random.default_rng(0)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 6), "uint8", scale=0.02, zero_point=120)
    weights = graph.constant(rng.integers(0, 256, (4, 6)).astype(np.uint8), 0.01, 130)
    bias = graph.constant(rng.integers(-500, 500, 4).astype(np.int32), 0.0002)
    y = graph.tensor((1, 4), "uint8", scale=0.05, zero_point=128)
    graph.op("FULLY_CONNECTED", [x, weights, bias], [y])
    graph.output(y)
    data = model.build()
    assert facts.quantized_for_phones(data, "m") == "quantized to uint8"
    made = real.dequantized(data)
    assert not facts.quantized_for_phones(made, "m")
    sample = rng.integers(0, 256, (1, 6)).astype(np.uint8)
    wanted = (runtimes.runner("litert", data)([sample])[0].astype(np.float32) - 128) * 0.05
    got = runtimes.runner("litert", made)([((sample.astype(np.float32) - 120) * 0.02)])[0]
    np.testing.assert_allclose(got, np.clip(got, wanted - 0.026, wanted + 0.026))


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_pairs_that_fake_quantization_left_are_taken_out_with_a_note(kind: str, tmp_path: Path) -> None:
    """As TFLite writes a network that was trained so and exported without optimization."""
    rng = np.random.default_rng(0)
    model = ModelBuilder()
    graph = model.graph()

    def through(tensor: int, shape: tuple[int, ...], scale: float) -> int:
        small = graph.tensor(shape, kind, scale=scale, zero_point=128 if kind == "uint8" else 0)
        real_again = graph.tensor(shape, "float32")
        graph.op("QUANTIZE", [tensor], [small])
        graph.op("DEQUANTIZE", [small], [real_again])
        return real_again

    x = through(graph.input((1, 6), "float32"), (1, 6), 0.03)
    weights = through(graph.constant(rng.normal(size=(4, 6)).astype(np.float32)), (4, 6), 0.02)
    y = graph.tensor((1, 4), "float32")
    graph.op("FULLY_CONNECTED", [x, weights, graph.constant(np.zeros(4, np.float32))], [y])
    graph.output(through(y, (1, 4), 0.06))
    path = tmp_path / "m.tflite"
    path.write_bytes(model.build())
    assert facts.fake_quantizations(path.read_bytes(), "m") == 3
    np.savez(tmp_path / "d.npz", x=rng.normal(size=(40, 6)).astype(np.float32))
    made = convert(path, representative=tmp_path / "d.npz", output=tmp_path / "b")
    assert set(made.manifest.ops) == {"FULLY_CONNECTED"}
    assert any("its 3 pairs of QUANTIZE and DEQUANTIZE are left out" in note for note in made.manifest.notes)
    assert made.manifest.accuracy[0].sqnr_db is not None and made.manifest.accuracy[0].sqnr_db > 30


def test_integers_that_something_computes_with_are_no_fake_quantization() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
    small, other = (graph.tensor((1, 4), "int8", scale=0.1, zero_point=0) for _ in range(2))
    graph.op("QUANTIZE", [x], [small])
    graph.op("RELU", [small], [other])
    graph.op("DEQUANTIZE", [other], [y])
    graph.output(y)
    assert facts.fake_quantizations(model.build(), "m") == 0
