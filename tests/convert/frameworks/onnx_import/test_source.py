# SPDX-License-Identifier: Apache-2.0
"""What files may leave out, since onnxruntime runs them all the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tinyserve.convert.frameworks.onnx_import.source import read
from tinyserve.errors import UsageError

onnx = pytest.importorskip("onnx")


def convolution(path: Path, shape: Sequence[int | str] | None) -> Path:
    """A convolution whose output has no shape, nor its input without one."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    weights = onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", floats, shape)],
        [helper.make_tensor_value_info("y", floats, None)],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return path


def test_outputs_need_no_shape(tmp_path: Path) -> None:
    source = read(convolution(tmp_path / "m.onnx", [1, 3, 8, 6]), [])
    assert source.shapes == [(1, 3, 8, 6)]
    assert not source.model.graph.output[0].type.tensor_type.HasField("shape")


def test_inputs_without_a_shape_take_the_one_that_is_given(tmp_path: Path) -> None:
    path = convolution(tmp_path / "m.onnx", None)
    assert read(path, [[1, 3, 8, 6]]).shapes == [(1, 3, 8, 6)]
    with pytest.raises(UsageError, match="input 'x' has no shape") as caught:
        read(path, [])
    assert "--input-shape 1x3x224x224" in caught.value.hint
