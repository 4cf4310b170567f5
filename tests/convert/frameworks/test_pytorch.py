# SPDX-License-Identifier: Apache-2.0
"""Outputs are named as the model names them; where PyTorch is installed, a few random networks."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from tests.convert.frameworks.networks import soak
from tinyserve.convert import convert
from tinyserve.convert.frameworks import provision
from tinyserve.convert.frameworks.pytorch import _check_extents, _name_outputs, _shape
from tinyserve.errors import UsageError


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


class Example:
    """What a program's graph tells of an input; an extent that is no int stands for PyTorch's SymInt."""

    def __init__(self, *shape: Any) -> None:
        self.shape = shape


def test_an_open_batch_is_one() -> None:
    assert _shape(Example(object(), 4, 8)) == (1, 4, 8)
    _check_extents("x", Example(object(), 4, 8), Path("m.pt2"))


def test_another_open_extent_is_refused_with_its_axis() -> None:
    with pytest.raises(UsageError, match="input 'x' was exported with an open extent \\(axis 2"):
        _check_extents("x", Example(1, 4, object()), Path("m.pt2"))


_DYNAMIC = """
import sys, torch
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(32, 3)
    def forward(self, x):
        return self.inner(x.flatten(1))
for name, shapes in (("batch", {0: torch.export.Dim("b")}), ("wide", {1: torch.export.Dim("t", max=9)})):
    model = Model() if name == "batch" else torch.nn.ReLU()
    made = torch.export.export(model.eval(), (torch.randn(2, 8, 4),), dynamic_shapes=(shapes,))
    torch.export.save(made, f"{sys.argv[1]}/{name}.pt2")
"""


@pytest.mark.slow
@pytest.mark.skipif(provision.find("pytorch") is None, reason="tinyserve setup --frontend pytorch")
def test_programs_of_open_batch_convert_and_of_other_open_extents_do_not(tmp_path: Path) -> None:
    python = provision.python(provision.require("pytorch"))
    subprocess.run([python, "-c", _DYNAMIC, tmp_path], check=True, timeout=120)
    bundle = convert(tmp_path / "batch.pt2", quantize="float32", output=tmp_path / "out")
    assert [list(one.shape) for one in bundle.manifest.inputs] == [[1, 8, 4]]
    with pytest.raises(UsageError, match="axis 1"):
        convert(tmp_path / "wide.pt2", quantize="float32", output=tmp_path / "wide")


@pytest.mark.slow
@pytest.mark.skipif(provision.find("pytorch") is None, reason="tinyserve setup --frontend pytorch")
def test_random_networks_are_not_changed(tmp_path: Path) -> None:
    found = list(soak.pytorch(20, 6, tmp_path))
    assert [outcome for outcome in found if outcome[1] != "converted"] == []
