# SPDX-License-Identifier: Apache-2.0
"""Tokens that are given as floats become integers, with the mask of zeros that some layers make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert.tflite.tidy import tidied


def _embedding(padding: float) -> bytes:
    """A table's rows at the tokens, and where there is no padding."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "float32", name="tokens")
    mask, ids, rows = (
        graph.tensor((1, 4), "bool"),
        graph.tensor((1, 4), "int32"),
        graph.tensor((1, 4, 2), "float32"),
    )
    graph.op("NOT_EQUAL", [x, graph.constant(np.array(padding, np.float32))], [mask])
    graph.op("CAST", [x], [ids])
    table: Any = np.arange(60, dtype=np.float32).reshape(30, 2)
    graph.op("GATHER", [graph.constant(table), ids], [rows], axis=0)
    graph.output(mask, rows)
    return model.build()


@pytest.mark.parametrize(("padding", "dtype"), [(0.0, "int32"), (0.5, "float32")])
def test_tokens_and_their_mask_are_integers(padding: float, dtype: str) -> None:
    before, after = _embedding(padding), tidied(_embedding(padding))
    assert read(after).main.inputs[0].dtype.value == dtype
    tokens = np.array([[3, 0, 29, 7]])
    wanted = HostModel(compile_model(before)).run([tokens.astype(np.float32)])
    got = HostModel(compile_model(after)).run([tokens.astype(dtype)])
    for theirs, ours in zip(wanted, got, strict=True):
        np.testing.assert_array_equal(theirs, ours)


def test_what_is_turned_around_is_a_slice() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((2, 3, 4), "float32"), graph.tensor((2, 3, 4), "float32")
    graph.op("REVERSE_V2", [x, graph.constant(np.array([1, -1], np.int32))], [y])
    graph.output(y)
    data = tidied(model.build())
    assert [node.name for node in read(data).main.nodes] == ["STRIDED_SLICE"]
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    (got,) = HostModel(compile_model(data)).run([values])
    np.testing.assert_array_equal(got.reshape(2, 3, 4), values[:, ::-1, ::-1])
