# SPDX-License-Identifier: Apache-2.0
"""Comments in the generated C say what integers stand for, and are right."""

from __future__ import annotations

import re

import pytest

from tests.compiler.ops.linear.test_conv_2d import random_case as convolution
from tests.sweep import cases
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.emit.explain import meaning
from tinyserve.compiler.program import Buffer, every_call

FACTOR = re.compile(r"with its shift: times (\S+)")


@pytest.mark.parametrize("kind", cases.FAMILIES)
def test_a_factor_is_its_multiplier_and_shift(kind: str) -> None:
    for call in every_call(compile_model(cases.made(kind, 0).model).program.calls):
        for field in call.fields:
            found = FACTOR.fullmatch(meaning(call, field))
            if found:
                shift = call.fields[field.replace("multiplier", "shift")]
                multiplier = call.fields[field]
                assert isinstance(multiplier, int) and isinstance(shift, int)
                assert float(found[1]) == pytest.approx(multiplier / 2**31 * 2.0**shift, rel=1e-8)
        assert all("*/" not in meaning(call, field) for field in call.fields)


def test_bounds_are_real_values_and_zero_points_are_named() -> None:
    compiled = compile_model(convolution(0, "int8").model)
    call = next(call for call in compiled.program.calls if call.function.startswith("ts_conv_2d"))
    output, input = call.writes[0].tensor, call.args[0]
    assert output is not None and isinstance(input, Buffer) and input.tensor is not None
    low = (call.fields["layer.activation.min"] - output.zero_point) * output.scale  # type: ignore[operator]
    assert float(meaning(call, "layer.activation.min")) == pytest.approx(low, rel=1e-5)
    expected = "minus the input's zero point" if input.tensor.zero_point else ""
    assert meaning(call, "layer.input_offset") == expected
    assert f"/* {meaning(call, 'layer.activation.min')} */" in str(compiled.sources.files["model.c"])
