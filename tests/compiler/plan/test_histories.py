# SPDX-License-Identifier: Apache-2.0
"""Variables of streaming models move once in an inference, and hold what TFLM's hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.generate import Random
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import Optimize, Target
from tinyserve.compiler.together import Member, compile_together

Q = {"scale": 0.05, "zero_point": 3}


@dataclass(frozen=True)
class Stream:
    """Depthwise layers along time, each over what it has seen: ``steps`` of ``channels`` at a time.

    ``newest_first``: in joined values; ``kept``: where the variable's values are taken from.
    """

    layers: int = 2
    channels: int = 8
    steps: int = 1
    taps: int = 9
    newest_first: bool = False
    kept: str = "joined"

    def model(self) -> bytes:
        model = ModelBuilder()
        graph, r = model.graph(), Random(6, 190)
        x = given = graph.input((1, self.steps, 1, self.channels), "int8", **Q)
        for index in range(self.layers):
            x = self.layer(graph, r, x, f"history {index}")
        graph.output(x)
        assert given is not x
        return model.build()

    def layer(self, graph: GraphBuilder, r: Random, x: TensorRef, name: str) -> TensorRef:
        held = self.taps - 1 if self.kept == "joined" else self.steps
        shape = (1, held, 1, self.channels)
        x = _scaled(graph, x)
        old = graph.tensor(shape, "int8", **Q)
        graph.op("READ_VARIABLE", [_handle(graph, name)], [old])
        joined = graph.tensor((1, held + self.steps, 1, self.channels), "int8", **Q)
        parts = [x, old] if self.newest_first else [old, x]
        graph.op("CONCATENATION", parts, [joined], axis=1, activation="NONE")
        graph.op("ASSIGN_VARIABLE", [_handle(graph, name), self._new(graph, joined, x, held)], [])
        weights = graph.constant(r.values((1, self.taps, 1, self.channels), "int8"), 0.004)
        rows = held + self.steps - self.taps + 1
        y = graph.tensor((1, rows, 1, self.channels), "int8", **Q)
        graph.op(
            "DEPTHWISE_CONV_2D", [joined, weights], [y], padding="VALID", activation="NONE",
            depth_multiplier=1, stride_h=1, stride_w=1, dilation_h_factor=1, dilation_w_factor=1,
        )  # fmt: skip
        return y

    def _new(self, graph: GraphBuilder, joined: TensorRef, x: TensorRef, held: int) -> TensorRef:
        if self.kept == "input":
            return x
        new = graph.tensor((1, held, 1, self.channels), "int8", **Q)
        begin = [0, 0 if self.newest_first else self.steps, 0, 0]
        operands = [graph.constant(value, dtype="int32") for value in (begin, [1, held, 1, self.channels])]
        graph.op("SLICE", [joined, *operands], [new])
        return new


def _handle(graph: GraphBuilder, name: str) -> TensorRef:
    made = graph.tensor((), "resource")
    graph.op("VAR_HANDLE", [], [made], container="", shared_name=name)
    return made


def _scaled(graph: GraphBuilder, x: TensorRef) -> TensorRef:
    """A layer in front, so that what is new is computed."""
    y = graph.tensor(x.shape, "int8", **Q)
    graph.op("LEAKY_RELU", [x], [y], alpha=0.3)
    return y


def moves(compiled: Compiled) -> int:
    return sum(call.function == "ts_move" for call in compiled.program.calls)


STREAMS = [
    (Stream(), 2),
    (Stream(layers=3, taps=5, channels=4, steps=2), 3),
    (Stream(taps=20, newest_first=True), 2),
    (Stream(layers=1, taps=2, channels=12, kept="input"), 1),
    (Stream(layers=1, channels=3), 2),
]
"""And how many moves an inference takes: one per variable; two where what is new is not whole words."""


@pytest.mark.parametrize(("stream", "left"), STREAMS, ids=str)
def test_variables_move_once_and_hold_tflms_values(stream: Stream, left: int) -> None:
    data = stream.model()
    compiled = compile_model(data, Target(optimize="speed"), "model")
    assert moves(compiled) == left
    host, oracle, r = HostModel(compiled), Tflm(data), Random(7, 190)
    for step in range(2 * stream.taps + 3):
        if step == stream.taps:
            host.reset()
            oracle = Tflm(data)
        x = r.values((1, stream.steps, 1, stream.channels), "int8")
        oracle.invoke([x])
        (got,) = host.run([x])
        np.testing.assert_array_equal(got, oracle.output().reshape(got.shape))


@pytest.mark.parametrize("optimize", ["balanced", "size", "ram"])
def test_the_arena_grows_little_by_it(optimize: Optimize) -> None:
    data = Stream(layers=4, taps=2, channels=64).model()
    compiled = compile_model(data, Target(optimize=optimize), "model")
    fastest = compile_model(data, Target(optimize="speed"), "model")
    assert moves(fastest) <= moves(compiled) <= 8
    assert compiled.plan.arena_bytes <= fastest.plan.arena_bytes


def gated() -> bytes:
    """A history in front of a circular buffer, whose inferences end early but for each second."""
    model = ModelBuilder()
    graph, r, channels, held = model.graph(), Random(6, 191), 8, 3
    x = graph.input((1, 1, 1, channels), "int8", **Q)
    old = graph.tensor((1, held, 1, channels), "int8", **Q)
    graph.op("READ_VARIABLE", [_handle(graph, "h")], [old])
    joined = graph.tensor((1, held + 1, 1, channels), "int8", **Q)
    graph.op("CONCATENATION", [old, _scaled(graph, x)], [joined], axis=1, activation="NONE")
    weights = graph.constant(r.values((1, held + 1, 1, channels), "int8"), 0.004)
    y = graph.tensor((1, 1, 1, channels), "int8", **Q)
    graph.op(
        "DEPTHWISE_CONV_2D", [joined, weights], [y], padding="VALID", activation="NONE",
        depth_multiplier=1, stride_h=1, stride_w=1, dilation_h_factor=1, dilation_w_factor=1,
    )  # fmt: skip
    ring = graph.tensor((1, 2, 1, channels), "int8", **Q, variable=True)
    graph.op("CIRCULAR_BUFFER", [y], [ring], custom_options=bytes(flexbuffers.Dumps({"cycles_max": 2})))
    z = graph.tensor((1, 2, 1, channels), "int8", **Q)
    graph.op("LEAKY_RELU", [ring], [z], alpha=0.3)
    new = graph.tensor((1, held, 1, channels), "int8", **Q)
    operands = [graph.constant(value, dtype="int32") for value in ([0, 1, 0, 0], [1, held, 1, channels])]
    graph.op("SLICE", [joined, *operands], [new])
    graph.op("ASSIGN_VARIABLE", [_handle(graph, "h"), new], [])
    graph.output(z)
    return model.build()


def test_an_inference_that_ends_early_leaves_variables_alone() -> None:
    data = gated()
    host, oracle, r = (
        HostModel(compile_model(data, Target(optimize="speed"), "model")),
        Tflm(data),
        Random(7, 191),
    )
    for step in range(8):
        x = r.values((1, 1, 1, 8), "int8")
        (found,) = host.run([x])
        oracle.invoke([x])
        if step % 2:
            np.testing.assert_array_equal(found.reshape(-1), oracle.output().reshape(-1))


@pytest.mark.parametrize("optimize", ["ram", "balanced"])
def test_arenas_that_are_large_enough_for_bands_are_planned(optimize: Optimize) -> None:
    """Operators without outputs are among those that bands are looked for in."""
    stream = Stream(layers=3, channels=64 if optimize == "ram" else 2048)
    data = stream.model()
    host, oracle, r = (
        HostModel(compile_model(data, Target(optimize=optimize), "model")),
        Tflm(data),
        Random(7, 192),
    )
    for _ in range(3):
        x = r.values((1, 1, 1, stream.channels), "int8")
        (found,) = host.run([x])
        oracle.invoke([x])
        np.testing.assert_array_equal(found.reshape(-1), oracle.output().reshape(-1))


def test_equal_initial_values_are_stored_once() -> None:
    def constants(layers: int) -> int:
        compiled = compile_model(Stream(layers=layers, channels=64).model(), Target(), "model")
        initial = {id(one): one.nbytes for one in compiled.program.initial.values()}
        return sum(initial.values())

    assert constants(6) == constants(2)


def test_models_together_reserve_a_history_once() -> None:
    streams = [Stream(layers=3, taps=20, channels=64), Stream(layers=2, channels=64)]
    made = compile_together(
        [Member(f"model_{index}", stream.model()) for index, stream in enumerate(streams)], Target()
    )
    states = sum(one.layers * one.taps * one.channels for one in streams)
    assert made.arena.nbytes <= states + 128
