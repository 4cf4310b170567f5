# SPDX-License-Identifier: Apache-2.0
"""int4 weights: their form in flash, and what becomes of kernels that read bytes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compiler.variants.layers import depthwise_case
from tests.support.retype import with_four_bits
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.lower import lower
from tinyserve.compiler.ops.support import four_bits
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Buffer, Constant, Interface, Target

DEPTHWISE = with_four_bits(depthwise_case(5)).model


@pytest.mark.parametrize("values", [1, 7, 8, 9, 30])
def test_packed_rows_hold_eight_values_in_a_word(values: int) -> None:
    rows = np.random.default_rng(values).integers(-8, 8, (3, values)).astype(np.int8)
    words = four_bits.packed(rows)
    assert words.shape == (3, -(-values // 8))
    for row, packed in zip(rows, words, strict=True):
        unpacked = []
        for word in packed.tolist():
            places = [word >> 8 * byte & 15 for byte in range(4)] + [
                word >> 8 * byte + 4 & 15 for byte in range(4)
            ]
            unpacked += [place - 16 if place > 7 else place for place in places]
        assert unpacked[:values] == row.tolist() and not any(unpacked[values:])


def test_a_kernel_that_reads_bytes_is_given_them_in_scratch() -> None:
    program = lower(load(DEPTHWISE), Target(), "model")
    unpack, call = program.calls
    (target,) = unpack.writes
    assert unpack.op == "UNPACK" and target.kind == "scratch" and target in call.reads
    assert any(value is target for value in call.fields.values())
    packed = unpack.fields["packed"]
    assert isinstance(packed, Constant) and packed in program.constants
    elements = load(DEPTHWISE).main.nodes[0].input("weights").elements
    assert packed.nbytes == -(-elements // 8) * 4
    assert not any(constant.nbytes >= elements > 64 for constant in program.constants)


def test_parameters_that_point_into_the_arena_are_made_when_the_layer_runs() -> None:
    """An arena of the caller's has no address that the compiler knows."""
    for instance, place in (("static", "ts_model_arena"), ("caller", "arena")):
        compiled = compile_model(DEPTHWISE, interface=Interface(instance))  # type: ignore[arg-type]
        text = str(compiled.sources.files["model.c"])
        assert f".weights = (void *)({place} + at_" in text
        assert "  const ts_depthwise_conv_2d_s8_params params" in text


def test_speed_first_takes_bytes() -> None:
    program = lower(load(DEPTHWISE), Target(optimize="speed"), "model")
    assert [call.op for call in program.calls] == ["DEPTHWISE_CONV_2D"]
    assert not any(isinstance(value, Buffer) for value in program.calls[0].fields.values())
