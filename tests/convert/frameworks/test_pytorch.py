# SPDX-License-Identifier: Apache-2.0
"""Outputs are named as the model names them; where PyTorch is installed, a few random networks."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.convert.frameworks.networks import soak
from tinyserve.convert.frameworks import provision
from tinyserve.convert.frameworks.pytorch import _name_outputs


def test_names_of_outputs_push_other_values_aside() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["score"]), helper.make_node("Tanh", ["score"], ["t"])]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("x", "t", "score")]
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    _name_outputs(model, ["score", "gate"])
    onnx.checker.check_model(model)
    assert [value.name for value in model.graph.output] == ["score", "gate"]
    makers = {name: node for node in model.graph.node for name in node.output}
    assert makers[makers["score"].input[0]].op_type == "Tanh"
    assert makers[makers["gate"].input[0]].op_type == "Relu"


def test_an_input_that_is_an_output_is_copied_once() -> None:
    """The exporter writes an Identity from the input to itself."""
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Identity", ["x"], ["x"])]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("x", "r", "x")]
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    _name_outputs(model, ["r", "same"])
    onnx.checker.check_model(model)
    assert [(node.op_type, node.input[0]) for node in model.graph.node if "same" in node.output] == [
        ("Identity", "x")
    ]


@pytest.mark.slow
@pytest.mark.skipif(provision.find("pytorch") is None, reason="tinyserve setup --frontend pytorch")
def test_random_networks_are_not_changed(tmp_path: Path) -> None:
    found = list(soak.pytorch(20, 6, tmp_path))
    assert [outcome for outcome in found if outcome[1] != "converted"] == []
