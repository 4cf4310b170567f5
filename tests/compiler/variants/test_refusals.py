# SPDX-License-Identifier: Apache-2.0
"""Reports say why a layer runs the portable kernel."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cliffs.layers import Binary, Layer, Pool
from tests.compiler.ops.generate import Random, case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tinyserve.compiler.choose import program_for
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Target

DSP, MVE, THUMB1 = frozenset({"dsp", "fpu"}), frozenset({"mve", "dsp", "fpu"}), frozenset({"thumb1"})


def reason_of(
    features: frozenset[str], *, batches: int = 1, output_scale: float = 1.0, stride: int = 1
) -> str:
    """Of a depthwise layer whose second channel's factor is ten times the first one's."""

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((batches, 9, 9, 2), "int8", scale=0.5, zero_point=0)
        weights = graph.constant(np.ones((1, 3, 3, 2), np.int8), scale=[0.01, 0.1], zero_point=[0, 0], axis=3)
        size = -(-9 // stride)
        y = graph.tensor((batches, size, size, 2), "int8", scale=output_scale, zero_point=0)
        graph.op(
            "DEPTHWISE_CONV_2D", [x, weights], [y], padding="SAME", activation="NONE", depth_multiplier=1,
            stride_h=stride, stride_w=stride, dilation_h_factor=1, dilation_w_factor=1,
        )  # fmt: skip
        return [x], [y]

    program, _ = program_for(load(case("refused", Random(1, 186), build).model), Target(features), "model")
    portable = (call.reason for call in program.calls if call.macs and call.variant == "portable")
    return next(portable, "")


@pytest.mark.parametrize("features", [DSP, MVE])
def test_a_large_factor_is_named_with_its_channel(features: frozenset[str]) -> None:
    assert (
        reason_of(features, output_scale=0.006) == "the factor from sum to output is 0.5 or more in channel 0"
    )


def test_what_else_is_refused() -> None:
    assert reason_of(DSP) == "" and reason_of(DSP, batches=3) == ""
    assert reason_of(THUMB1, batches=3) == ""
    assert "strides 5 and 5" in reason_of(DSP, stride=5)


def test_other_operators_name_what_they_lack() -> None:
    def portable(features: frozenset[str], layer: Layer) -> str:
        program, _ = program_for(load(layer.model()), Target(features), "model")
        return next((call.reason for call in program.calls if call.variant == "portable"), "")

    fields = {"shape": (4, 4, 12), "constant": False, "relu": False, "swapped": False, "alike": True}
    repeated = Binary(name="ADD", repeated=(0, 1), dtype="int8", **fields)  # type: ignore[arg-type]
    assert "an input is repeated" in portable(THUMB1, repeated)
    assert portable(DSP, repeated) == ""
    assert portable(MVE, repeated) == ""
    floats = Binary(name="MUL", repeated=(), dtype="float32", **fields)  # type: ignore[arg-type]
    assert portable(DSP, floats) == "float32: kernels of this core take int8"
    pool = Pool(
        height=4,
        width=4,
        channels=3,
        taps=(2, 2),
        stride=(1, 1),
        same=True,
        average=False,
        batch=1,
        dtype="int16",
    )
    assert portable(DSP, pool) == "int16: kernels of this core take int8"
    assert portable(THUMB1, pool) == "no kernel with the core's own instructions for this operator"
