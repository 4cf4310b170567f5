# SPDX-License-Identifier: Apache-2.0
"""scikit-learn by ONNX: refused at once, with the file to give instead."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.convert.frameworks.networks.reference import imported
from tinyserve.errors import UnsupportedError


def test_trees_and_scalers_of_onnx_ml_are_sent_to_joblib(tmp_path: Path) -> None:
    node = helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", offset=[0.0] * 2, scale=[1.0] * 2)
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("x", "y")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    graph = helper.make_graph([node], "g", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    with pytest.raises(UnsupportedError, match="classic model") as caught:
        imported(model, tmp_path)
    assert ".joblib" in caught.value.hint
