# SPDX-License-Identifier: Apache-2.0
"""What is said of operators that the engine lacks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler import ops
from tinyserve.compiler.passes.load import load
from tinyserve.errors import UnsupportedError


def model(operator: str, dtype: str = "float32") -> bytes:
    built = ModelBuilder()
    graph = built.graph()
    x, y = graph.input((1, 4), dtype), graph.tensor((1, 4), dtype)
    graph.op(operator, [x], [y])
    graph.output(y)
    return built.build()


def test_the_interpreter_is_named_where_it_has_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: op for name, op in ops.registry().items() if name != "NEG"}
    monkeypatch.setattr(ops, "registry", lambda directories=(): known)
    with pytest.raises(UnsupportedError, match="NEG") as caught:
        load(model("NEG"))
    assert "--engine tflm" in caught.value.hint


def test_the_hint_for_a_type_leads_to_one_that_there_is() -> None:
    """TFLM has no type that the compiler lacks, but for those that it computes wrong."""
    with pytest.raises(UnsupportedError, match="input of type int32") as caught:
        load(model("NEG", "int32"))
    assert "float32" in caught.value.hint
    assert "--engine" not in caught.value.hint
    with pytest.raises(UnsupportedError, match="input of type int8") as caught:
        load(model("SIN", "int8"))
    assert "--per-layer keep=" in caught.value.hint


def test_it_is_not_named_where_only_the_compiler_has_the_operator() -> None:
    with pytest.raises(UnsupportedError, match="RELU_N1_TO_1") as caught:
        load(model("RELU_N1_TO_1", "int32"))
    assert "--engine" not in caught.value.hint


def test_it_is_not_named_where_it_lacks_the_operator_too() -> None:
    with pytest.raises(UnsupportedError, match="ATAN2") as caught:
        load(model("ATAN2"))
    assert "--engine" not in caught.value.hint
    assert "--ops" in caught.value.hint


def test_the_handle_of_a_variable_is_no_output() -> None:
    built = ModelBuilder()
    graph = built.graph()
    x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
    handle = graph.tensor((), "resource", name="state")
    graph.op("VAR_HANDLE", [], [handle], container="", shared_name="state")
    graph.op("NEG", [x], [y])
    graph.output(y, handle)
    with pytest.raises(UnsupportedError, match='"state" is resource'):
        load(built.build())


def test_subgraphs_that_nothing_runs_need_no_kernels() -> None:
    built = ModelBuilder()
    for operator in ("ABS", "ATAN2"):
        graph = built.graph()
        x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
        graph.op(operator, [x] if operator == "ABS" else [x, x], [y])
        graph.output(y)
    assert [len(graph.nodes) for graph in load(built.build()).graphs] == [1, 0]


def test_weights_of_another_kind_than_the_activations_are_led_to_convert() -> None:
    built = ModelBuilder()
    graph = built.graph()
    x, y = graph.input((1, 3), "float32"), graph.tensor((1, 5), "float32")
    graph.op("FULLY_CONNECTED", [x, graph.constant(np.ones((5, 3), np.int8), 0.01), None], [y])
    graph.output(y)
    with pytest.raises(UnsupportedError, match="weights of type int8") as caught:
        load(built.build())
    assert "convert FILE --representative DATA" in caught.value.hint


def test_files_quantized_to_uint8_are_led_to_convert() -> None:
    built = ModelBuilder()
    graph = built.graph()
    x, y = (graph.tensor((1, 3), "uint8", 0.1, 3) for _ in range(2))
    graph.inputs.append(x.index)
    graph.op("ADD", [x, x], [y])
    graph.output(y)
    with pytest.raises(UnsupportedError, match="uint8") as caught:
        load(built.build())
    assert "convert FILE --representative DATA" in caught.value.hint
