# SPDX-License-Identifier: Apache-2.0
"""Layers that no 16-bit kernel computes stay in float by themselves, and the report names them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bench.counts.count import float_share
from tinyserve.compiler.graph.reader import read
from tinyserve.convert import Options, convert
from tinyserve.convert.check import floats
from tinyserve.convert.quantize.activations import without_kernel_in_16_bits
from tinyserve.convert.settings import FloatShare
from tinyserve.convert.tflite.facts import inspect
from tinyserve.errors import ToolError


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


def quantized_around(operators: list[str]) -> bytes:
    """A 16-bit layer, functions of one value in float, and integers again."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8), "int16", scale=0.01)
    weights = graph.constant(np.ones((8, 8), np.int8), scale=0.02)
    value = graph.tensor((1, 8), "int16", scale=0.01)
    graph.op("FULLY_CONNECTED", [x, weights, None], [value])
    for operator in ["DEQUANTIZE", *operators]:
        after = graph.tensor((1, 8), "float32", name=operator.lower())
        inputs = [value, graph.constant(np.array(1, np.int32))] if operator == "CUMSUM" else [value]
        graph.op(operator, inputs, [after])
        value = after
    integer = graph.tensor((1, 8), "int16", scale=0.01)
    graph.op("QUANTIZE", [value], [integer])
    graph.output(integer)
    return model.build()


def note(data: bytes, **options: object) -> str:
    return floats.note(inspect(data, "m"), Options(**options))  # type: ignore[arg-type]


def test_what_stays_in_float_is_said_with_its_share_of_the_instructions() -> None:
    data = quantized_around(["ELU"])
    share = float_share(data)
    assert 0 < share.instructions < share.total
    text = note(data, float_share=float_share)
    assert 'stays in float32: ELU #2 (writes "elu")' in text
    assert f"it takes {share.instructions:,} of {share.total:,} instructions on cortex-m4" in text
    assert f"({100 * share.instructions / share.total:.0f} %)" in text


def test_int8_is_the_remedy_where_it_has_a_kernel_or_a_table() -> None:
    assert "--quantize int8 computes ELU and EXP in integers" in note(quantized_around(["ELU", "EXP"]))
    assert "--quantize" not in note(quantized_around(["ELU"]), keep_float=("elu",))  # it was asked for


def test_what_cannot_be_counted_here_says_why() -> None:
    def missing(model: bytes) -> FloatShare:
        raise ToolError("the cross compiler (ziglang) is not installed", "")

    text = note(quantized_around(["ELU"]), float_share=missing)
    assert "what it costs was not counted: the cross compiler" in text


def test_of_many_operators_the_first_are_named_and_the_others_counted() -> None:
    text = note(quantized_around(["ELU"] * (floats.MOST_NAMED + 3)))
    assert text.count("writes") == floats.MOST_NAMED
    assert "and 3 more" in text
