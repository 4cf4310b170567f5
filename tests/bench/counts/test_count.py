# SPDX-License-Identifier: Apache-2.0
"""What a model costs on an emulated board."""

from __future__ import annotations

import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bench.counts.count import cost
from tinyserve.errors import UsageError


def relu(elements: int) -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, elements), "int8", scale=0.5)
    y = graph.tensor((1, elements), "int8", scale=0.5)
    graph.op("RELU", [x], [y])
    graph.output(y)
    return model.build()


def test_the_count_repeats_and_grows_with_the_model() -> None:
    small, again, large = (cost(relu(n), "cortex-m4") for n in (64, 64, 1024))
    assert small == again
    assert large.instructions - small.instructions > 960
    assert large.arena_bytes - small.arena_bytes >= 960
    assert small.flash_bytes > 1000


def test_this_computer_counts_no_instructions() -> None:
    with pytest.raises(UsageError, match="counts no instructions"):
        cost(relu(64), "host")
