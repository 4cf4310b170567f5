# SPDX-License-Identifier: Apache-2.0
"""Copies that are spared because what they copy lies where they would copy it to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.host.model import HostModel

Q = {"scale": 0.05, "zero_point": 3}
Built = tuple[list[TensorRef], list[TensorRef]]


class Net:
    """Layers of int8 images of one width and depth, whose heights join and part."""

    def __init__(self, graph: GraphBuilder, r: Random, height: int = 4) -> None:
        self.graph, self.r = graph, r
        self.x = graph.input((1, height, 4, 4), "int8", **Q)

    def tensor(self, height: int) -> TensorRef:
        return self.graph.tensor((1, height, 4, 4), "int8", **Q)

    def conv(self, x: TensorRef) -> TensorRef:
        weights = self.graph.constant(self.r.values((4, 3, 3, 4), "int8"), 0.004)
        y = self.tensor(x.shape[1])
        self.graph.op(
            "CONV_2D", [x, weights, self.graph.constant(np.arange(4), dtype="int32")], [y], padding="SAME",
            stride_h=1, stride_w=1, dilation_h_factor=1, dilation_w_factor=1, activation="NONE",
        )  # fmt: skip
        return y

    def table(self, x: TensorRef) -> TensorRef:
        y = self.tensor(x.shape[1])
        self.graph.op("LEAKY_RELU", [x], [y], alpha=0.3)
        return y

    def join(self, *parts: TensorRef) -> TensorRef:
        y = self.tensor(sum(part.shape[1] for part in parts))
        self.graph.op("CONCATENATION", list(parts), [y], axis=1, activation="NONE")
        return y

    def split(self, x: TensorRef) -> list[TensorRef]:
        parts = [self.tensor(x.shape[1] // 2) for _ in range(2)]
        self.graph.op("SPLIT", [self.graph.constant(1, dtype="int32"), x], parts, num_splits=2)
        return parts

    def add(self, a: TensorRef, b: TensorRef) -> TensorRef:
        y = self.tensor(a.shape[1])
        self.graph.op("ADD", [a, b], [y], activation="NONE")
        return y


def joined(net: Net) -> TensorRef:
    return net.conv(net.join(net.conv(net.x), net.table(net.x)))


def nested(net: Net) -> TensorRef:
    inner = net.join(net.conv(net.x), net.conv(net.x))
    return net.conv(net.join(inner, net.table(net.x)))


def parted(net: Net) -> TensorRef:
    first, second = net.split(net.conv(net.x))
    return net.join(net.conv(second), net.conv(first))


def read_again(net: Net) -> TensorRef:
    """A part is read beside the whole, and after another layer could have overwritten it."""
    part = net.conv(net.x)
    whole = net.join(part, net.conv(part))
    first, second = net.split(net.table(whole))
    return net.add(net.add(first, part), second)


def twice(net: Net) -> TensorRef:
    part = net.conv(net.x)
    return net.conv(net.join(part, part))


def passed_on(net: Net) -> TensorRef:
    """Parts of one tensor become parts of another as they are."""
    first, second = net.split(net.conv(net.x))
    return net.conv(net.join(second, first))


NETS: list[tuple[Callable[[Net], TensorRef], int]] = [
    (joined, 0), (nested, 0), (parted, 0), (read_again, 1), (twice, 1), (passed_on, 2),
]  # fmt: skip
"""And how many copies are left."""


def copies(compiled: Compiled) -> int:
    return sum("strided_copy" in call.function for call in compiled.program.calls)


@pytest.mark.parametrize(("build", "left"), NETS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_copies_are_spared_and_bytes_are_tflms(build: Callable[[Net], TensorRef], left: int) -> None:
    r = Random(3, 190)

    def whole(graph: GraphBuilder) -> Built:
        net = Net(graph, r)
        return [net.x], [build(net)]

    made = case(build.__name__, r, whole)
    compiled = compile_model(made.model)
    assert copies(compiled) <= left
    assert compiled.program.views
    host, oracle = HostModel(compiled), Tflm(made.model)
    for sample in made.samples:
        oracle.invoke(sample)
        (got,) = host.run(sample)
        np.testing.assert_array_equal(got, oracle.output().reshape(got.shape))


def test_a_part_lies_in_its_whole() -> None:
    r = Random(4, 190)

    def whole(graph: GraphBuilder) -> Built:
        net = Net(graph, r)
        return [net.x], [nested(net)]

    compiled = compile_model(case("nested", r, whole).model)
    offsets = compiled.plan.offsets
    for part, view in compiled.program.views.items():
        assert offsets[part] == offsets[view.root] + view.start
        assert view.start + part.nbytes <= view.root.nbytes


def test_traces_hold_what_no_call_writes() -> None:
    """A concatenation without a call still has its value in a trace."""
    r = Random(5, 190)

    def whole(graph: GraphBuilder) -> Built:
        net = Net(graph, r)
        return [net.x], [joined(net)]

    made = case("joined", r, whole)
    compiled = compile_model(made.model)
    traced = HostModel(compiled).trace(made.samples[0])
    assert {len(value.reshape(-1)) for value in traced.values()} >= {64, 128}
