"""Instructions of one inference on an emulated board."""

from __future__ import annotations

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bench.count import instructions


def relu(elements: int) -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, elements), "int8", scale=0.5)
    y = graph.tensor((1, elements), "int8", scale=0.5)
    graph.op("RELU", [x], [y])
    graph.output(y)
    return model.build()


def test_the_count_repeats_and_grows_with_the_model() -> None:
    small, again, large = (instructions(relu(n), "cortex-m4") for n in (64, 64, 1024))
    assert small == again
    assert large - small > 960
