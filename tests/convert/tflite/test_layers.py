# SPDX-License-Identifier: Apache-2.0
"""Layers are found by every name that people know them by."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.graph.types import Model
from tinyserve.convert.tflite.layers import tensors_of
from tinyserve.errors import UsageError


@pytest.fixture
def model(models: Path) -> Model:
    return read((models / "float.tflite").read_bytes())


@pytest.mark.parametrize("kind", ["whole", "fused", "short", "path", "operator"])
def test_a_layer_has_several_names(model: Model, kind: str) -> None:
    operators = model.main.nodes
    conv = operators[0].outputs[0].name
    assert operators[0].name == "CONV_2D"
    fused = conv.split(";")[0]
    names = {
        "whole": conv,
        "fused": fused,
        "short": "conv2d_1",
        "path": fused.split("/")[-1],
        "operator": "conv_2d",
    }
    assert tensors_of(model, names[kind]) == [conv]


def test_an_operator_names_all_its_layers(model: Model) -> None:
    found = tensors_of(model, "softmax")
    assert found == [op.outputs[0].name for op in model.main.nodes if op.name == "SOFTMAX"]


def test_a_name_that_nothing_has_gets_the_names_there_are(model: Model) -> None:
    with pytest.raises(UsageError, match="'conv2d_7'") as caught:
        tensors_of(model, "conv2d_7")
    assert "conv2d_1" in caught.value.hint
