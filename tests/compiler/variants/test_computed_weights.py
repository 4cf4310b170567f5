# SPDX-License-Identifier: Apache-2.0
"""Weights or a bias that are computed at run time: variants pack constants, so the portable kernels run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.compiler.ops.linear import test_conv_2d, test_depthwise_conv_2d, test_fully_connected
from tests.support.differential import Case
from tests.support.run_time import computed_weights
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes import load
from tinyserve.compiler.program import Target

MAKERS = [test_conv_2d.random_case, test_depthwise_conv_2d.random_case, test_fully_connected.random_case]


@pytest.mark.parametrize(
    "features", [("dsp",), ("dsp", "mve"), ("thumb1",), ("dsp", "fpu"), ("rv32m",), ("host",), ("wasm",)]
)
@pytest.mark.parametrize("make", MAKERS, ids=["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
def test_the_portable_kernel_takes_them(make: Callable[[int, str], Case], features: tuple[str, ...]) -> None:
    for index in range(12):
        dtype = ("int8", "float32")[index % 2]
        case = computed_weights(make(index, dtype), index)
        if len(case.samples[0]) == 1:
            continue  # it has no bias
        program = lower(load(case.model), Target(frozenset(features)), "case")
        assert [call.function.endswith("_computed") for call in program.calls] == [True]
