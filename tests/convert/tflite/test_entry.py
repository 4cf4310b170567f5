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
