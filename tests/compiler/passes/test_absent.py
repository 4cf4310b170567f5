# SPDX-License-Identifier: Apache-2.0
"""What leads on where an operator has no kernel, by situation: each hint is true for its case."""

from __future__ import annotations

import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.errors import UnsupportedError

HINTS = {
    "ethos-u": "Vela compiled this file",
    "edgetpu-custom-op": "edgetpu_compiler made this file",
    "FlexErf": "TensorFlow's own Erf",
    "Mine": "TFLM lacks it, too",
    "RFFT2D": "TFLM lacks it, too",
    "UNIQUE": "TFLM lacks it, too",
    "REVERSE_SEQUENCE": "TFLM lacks it, too",
}


def _with(operator: str) -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
    graph.op(operator, [x], [y])
    graph.output(y)
    return model.build()


@pytest.mark.parametrize("operator", HINTS)
def test_the_hint_is_that_of_the_operator_s_author(operator: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        compile_model(_with(operator))
    assert HINTS[operator] in caught.value.hint
    assert "--engine tflm" not in caught.value.hint
