# SPDX-License-Identifier: Apache-2.0
"""Masks of attention lie near the scores when integers are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from tests.convert.frameworks.networks.reference import imported
from tinyserve.compiler.graph import reader
from tinyserve.convert.quantize.hidden_scores import near
from tinyserve.convert.worker import runtimes

Array = npt.NDArray[Any]
_FORMS = {
    "added": "m = Where(keep, zero, hidden) s = Add(x, m) y = Softmax(s)",
    "in_its_place": "s = Where(given, x, hidden) y = Softmax(s)",
    "guarded": """m = Where(given, zero, hidden) s = Add(x, m) p = Softmax(s) lost = IsNaN(p)
                  y = Where(lost, zero, p)""",
}
_SCORES = np.random.default_rng(3).normal(0, 2, (20, 1, 4, 4)).astype(np.float32)
_MASKS = np.tril(np.ones((20, 1, 4, 4), bool))


@pytest.mark.parametrize("name", _FORMS)
@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_shares_are_the_same_and_ranges_small(name: str, scheme: str, tmp_path: Path) -> None:
    given = "given" in _FORMS[name]
    text = f"""<ir_version: 8, opset_import: ["" : 18]>
        g (float[1,4,4] x{", bool[1,4,4] given" if given else ""}) => (float[1,4,4] y)
        <float zero = {{0}}, float hidden = {{1}}, bool[4,4] keep = {{1}}> {{ {_FORMS[name]} }}"""
    model = onnx.parser.parse_model(text)
    _fill(model, "hidden", np.array(-np.inf, np.float32))
    _fill(model, "keep", np.tril(np.ones((4, 4), bool)))
    data = imported(model, tmp_path, moved=False)[0].tflite
    masks = _MASKS.copy()
    masks[:, :, 1] &= name != "guarded"  # rows of which nothing is left, whose shares are zeros
    inputs = [_SCORES, masks] if given else [_SCORES]
    made = near(data, inputs, scheme)
    assert min(_constants(made)) > -40 > min(_constants(data))
    before, after = runtimes.runner("litert", data), runtimes.runner("litert", made)
    for index in range(len(_SCORES)):
        sample = [array[index] for array in inputs]
        assert np.abs(before(sample)[0] - after(sample)[0]).max() < {"int8": 4e-3, "int16x8": 2e-6}[scheme]


def test_a_model_without_masks_stays_as_it_is(tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[1,4] x) => (float[1,4] y) { y = Softmax(x) }'
    data = imported(onnx.parser.parse_model(text), tmp_path)[0].tflite
    assert near(data, [_SCORES[:, 0, :1]], "int8") is data


def _fill(model: onnx.ModelProto, name: str, values: Array) -> None:
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))


def _constants(data: bytes) -> list[float]:
    nodes = reader.read(data).main.nodes
    read = [tensor.data for node in nodes for tensor in node.inputs if tensor is not None]
    return [float(array.min()) for array in read if array is not None and array.dtype == np.float32]
