# SPDX-License-Identifier: Apache-2.0
"""The front end's own check stops a conversion that changed the model, and says where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tinyserve.bundle import TensorInfo
from tinyserve.convert.check import stage
from tinyserve.convert.session import Session, opened
from tinyserve.convert.settings import Options
from tinyserve.convert.sources import identify
from tinyserve.convert.tflite import facts
from tinyserve.errors import ModelError
from tinyserve.progress import silent


@pytest.fixture
def source(tmp_path: Path) -> Path:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="stem"),
        helper.make_node("Tanh", ["a"], ["b"], name="squash"),
        helper.make_node("Conv", ["b", "w"], ["y"], name="head"),
    ]
    weights = np.random.default_rng(1).normal(0, 0.3, (2, 2, 3, 3)).astype(np.float32)
    values = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("x", [1, 2, 8, 9]), ("y", [1, 2, 4, 5]))
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [numpy_helper.from_array(weights, "w")])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "m.onnx",
    )
    return tmp_path / "m.onnx"


def samples(session: Session) -> list[Any]:
    return [
        np.random.default_rng(2).normal(size=(3, *info.shape[1:])).astype(np.float32)
        for info in session.original.inputs
    ]


def test_a_model_that_is_what_it_was_passes(source: Path) -> None:
    with opened(identify(source), Options(), silent) as session:
        found = stage.verify(session, samples(session))
    assert [one.name for one in found] == ["y"]
    assert found[0].sqnr_db is not None and found[0].sqnr_db > 100


def test_a_changed_model_is_refused_with_output_and_node(source: Path) -> None:
    with opened(identify(source), Options(), silent) as session:
        # The .tflite of another model: LOGISTIC for TANH.
        changed = facts.inspect(_with_operator(session, "TANH", "LOGISTIC"), "changed")
        object.__setattr__(session.front, "model", facts.with_forms(changed, [[0, 2, 3, 1]], [[0, 2, 3, 1]]))
        with pytest.raises(ModelError, match=r"output 'y' has .* dB, where 60 dB .* begins at Tanh 'squash'"):
            stage.verify(session, samples(session))


def _with_operator(session: Session, old: str, new: str) -> bytes:
    from tinyserve.compiler.graph import objects

    model = objects.unpack(session.original.data)
    numbers = objects.module().BuiltinOperator
    for code in model.operatorCodes:
        if code.builtinCode == getattr(numbers, old):
            code.builtinCode = code.deprecatedBuiltinCode = getattr(numbers, new)
    return objects.pack(model)


@pytest.mark.parametrize(
    ("wanted", "got", "right"),
    [
        ([1.0, 2.0], [1.0, 2.0], True),
        ([1.0, 2.0], [1.0, 2.01], False),
        ([0.0, 0.0], [0.0, 1e-9], True),
        ([0.0, 0.0], [0.0, 1.0], False),
        ([4e-7, 4e-7], [-6e-7, -6e-7], True),
        ([4e-7, 4e-7], [-6e-5, -6e-5], False),
        ([np.nan, 2.0], [5.0, 2.0], True),
        ([1.0, 2.0], [np.nan, 2.0], False),
    ],
)
def test_what_counts_as_a_difference(wanted: list[float], got: list[float], right: bool) -> None:
    info = TensorInfo("y", [1, 2], "float32")
    arrays = [np.array([values], np.float32) for values in (wanted, got)]
    assert stage.difference(info, *arrays).is_right is right


def test_integers_agree_or_not() -> None:
    info = TensorInfo("y", [1, 2], "int32")
    assert stage.difference(info, np.arange(100), np.arange(100)).is_right
    assert not stage.difference(info, np.arange(100), np.arange(100) + 1).is_right


@pytest.mark.parametrize("name", ["stages.keras", "stages_saved"])
def test_a_changed_keras_model_is_refused_with_its_layer(name: str, models: Path) -> None:
    """Fused operators have no tensor of their own: the first that is lost with all that is made of it."""
    with opened(identify(models / name), Options(), silent) as session:
        changed = facts.inspect(_with_operator(session, "TANH", "LOGISTIC"), "changed")
        object.__setattr__(session.front, "model", changed)
        with pytest.raises(ModelError, match=r"begins at Tanh '[^']*squash[^']*'"):
            stage.verify(session, samples(session))
