# SPDX-License-Identifier: Apache-2.0
"""What of the PyTorch front end needs no PyTorch: outputs are named as the model names them."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

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
