# SPDX-License-Identifier: Apache-2.0
"""What flash is worth decides on a layer's kernel by rows as it does on that of the whole layer."""

from __future__ import annotations

import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.program import Feed, Optimize, Program, Target, every_call

TABLE = 1024


def sums(elements: int, layers: int) -> bytes:
    """Pixels of one channel, 32 a row, to which others are added: all sums are of the same scales."""
    model = ModelBuilder()
    graph, shape = model.graph(), (1, elements // 32, 32, 1)
    x = graph.input(shape, "int8", 0.05)
    y = graph.tensor(shape, "int8", 0.05)
    size = {"stride_w": 1, "stride_h": 1, "filter_width": 3, "filter_height": 3}
    graph.op("MAX_POOL_2D", [x], [y], padding="SAME", **size)
    for _ in range(layers):
        total = graph.tensor(shape, "int8", 0.05)
        graph.op("ADD", [x, y], [total])
        y = total
    graph.output(y)
    return model.build()


def compiled(model: bytes, feature: str, optimize: Optimize, feed: Feed) -> Program:
    return compile_model(model, Target(frozenset({feature}), optimize, feed=feed)).program


def kernels(program: Program) -> set[str]:
    return {call.variant for call in every_call(program.calls) if call.op == "ADD"}


@pytest.mark.parametrize("optimize", ["size", "ram", "balanced", "speed"])
@pytest.mark.parametrize(
    ("feature", "without"), [("thumb1", "portable"), ("rv32m", "portable"), ("dsp", "dsp-scaled")]
)
def test_a_table_is_stored_by_rows_where_it_is_for_the_whole_layer(
    feature: str, without: str, optimize: Optimize
) -> None:
    found: dict[tuple[int, int], set[str]] = {}
    for elements, layers in ((128, 1), (128, 6), (1024, 1), (1024, 6), (8192, 1)):
        model = sums(elements, layers)
        whole, fed = [compiled(model, feature, optimize, feed) for feed in ("whole", "rows")]
        assert kernels(fed) == kernels(whole), (elements, layers)
        assert fed.fed_band is not None and [one.op for one in fed.fed_band.stages].count("ADD") == layers
        stored = sum(constant.nbytes for constant in fed.constants)
        assert stored == (TABLE if kernels(fed) == {feature} else 0)
        found[elements, layers] = kernels(fed)
    assert found[8192, 1] == {feature}
    assert found[128, 1] == {feature if optimize == "speed" else without}
    assert found[1024, 1] == {without if optimize == "size" else feature}
