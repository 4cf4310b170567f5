# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers as converters unroll them: all products with the inputs, then one turn after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.compiler.ops.generate import Random
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef

GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}


@dataclass(frozen=True)
class Unrolled:
    """``own``: whether each turn has scales of its own, as calibration finds them."""

    kind: str
    turns: int
    features: int
    units: int
    dtype: str = "int8"
    own: bool = False

    @property
    def parameters(self) -> int:
        gates = GATES[self.kind] * self.units
        return gates * (self.features + self.units + 1)

    def model(self) -> bytes:
        return _Writer(self).model()


def any_layer(r: Random, **given: Any) -> Unrolled:
    """A layer of random shape."""
    drawn = {"kind": r.choice(tuple(GATES)), "turns": r.integer(6, 24), "features": r.integer(1, 12),
             "units": r.integer(4, 32)}  # fmt: skip
    return Unrolled(**{**drawn, **given})


class _Writer:
    def __init__(self, layer: Unrolled) -> None:
        self.layer = layer
        self.r = np.random.default_rng((layer.turns, layer.features, layer.units))
        self.builder = ModelBuilder()
        self.graph: GraphBuilder = self.builder.graph()
        self.turn = 0

    def model(self) -> bytes:
        layer, width = self.layer, GATES[self.layer.kind] * self.layer.units
        own, recurrent = self.weights(width, layer.features), self.weights(width, layer.units)
        x = self.graph.input((1, layer.turns, layer.features), layer.dtype, **self.known(0.04, 0))
        rows = [self.value((1, layer.features), 0.04, 0, own=False) for _ in range(layer.turns)]
        self.graph.op("UNPACK", [x], rows, num=layer.turns, axis=1)
        given = []
        for self.turn in range(layer.turns):
            given.append(self.split(self.dense(rows[self.turn], own)))
        states: list[TensorRef] = []
        for self.turn in range(layer.turns):
            states = getattr(self, layer.kind.lower())(given[self.turn], states, recurrent)
        self.graph.output(states[0])
        return self.builder.build()

    def rnn(self, given: list[TensorRef], states: list[TensorRef], weights: TensorRef) -> list[TensorRef]:
        inner = self.add(given[0], self.dense(states[0], weights)) if states else given[0]
        return [self.one("TANH", inner)]

    def gru(self, given: list[TensorRef], states: list[TensorRef], weights: TensorRef) -> list[TensorRef]:
        if not states:
            return [self.multiply(self.one("LOGISTIC", given[0]), self.one("TANH", given[2]))]
        of_state = self.split(self.dense(states[0], weights))
        update, reset = (self.one("LOGISTIC", self.add(given[gate], of_state[gate])) for gate in (0, 1))
        new = self.one("TANH", self.add(given[2], self.multiply(reset, of_state[2])))
        rest = self.value(update.shape, 0.0041, -100)
        one = self.constant(np.full((1,), 1.0), 1 / 127)
        self.graph.op("SUB", [one, update], [rest], activation="NONE")
        return [self.add(self.multiply(update, states[0]), self.multiply(rest, new), 0.008)]

    def lstm(self, given: list[TensorRef], states: list[TensorRef], weights: TensorRef) -> list[TensorRef]:
        if states:
            parts = self.split(self.dense(states[0], weights))
            given = [self.add(*pair) for pair in zip(given, parts, strict=True)]
        cell = self.multiply(self.one("LOGISTIC", given[0]), self.one("TANH", given[3]))
        if states:
            kept = self.multiply(self.one("LOGISTIC", given[1]), states[1])
            cell = self.add(kept, cell, 0.02)
        return [self.multiply(self.one("LOGISTIC", given[2]), self.one("TANH", cell)), cell]

    # --- operators

    def dense(self, x: TensorRef, weights: TensorRef) -> TensorRef:
        y = self.value((1, weights.shape[0]), 0.03)
        self.graph.op("FULLY_CONNECTED", [x, weights, None], [y], activation="NONE")
        return y

    def split(self, x: TensorRef) -> list[TensorRef]:
        count, units = GATES[self.layer.kind], self.layer.units
        if count == 1:
            return [x]
        parts = [self.value((1, units), 0.03) for _ in range(count)]
        self.graph.op("SPLIT", [self.graph.constant(np.array(1, np.int32)), x], parts, num_splits=count)
        return parts

    def add(self, a: TensorRef, b: TensorRef, scale: float = 0.05) -> TensorRef:
        y = self.value(a.shape, scale)
        self.graph.op("ADD", [a, b], [y], activation="NONE")
        return y

    def multiply(self, a: TensorRef, b: TensorRef) -> TensorRef:
        y = self.value(a.shape, 0.008)
        self.graph.op("MUL", [a, b], [y], activation="NONE")
        return y

    def one(self, name: str, x: TensorRef) -> TensorRef:
        scale, zero = (1 / 256, -128) if name == "LOGISTIC" else (1 / 128, 0)
        y = self.value(x.shape, scale, zero, own=False)
        self.graph.op(name, [x], [y])
        return y

    # --- values

    def weights(self, rows: int, columns: int) -> TensorRef:
        values = self.r.normal(0, 0.4, (rows, columns))
        return self.constant(values, 0.01)

    def constant(self, values: Any, scale: float) -> TensorRef:
        if self.layer.dtype == "float32":
            return self.graph.constant(np.asarray(values, np.float32))
        integers = np.clip(np.round(np.asarray(values) / scale), -127, 127).astype(np.int8)
        return self.graph.constant(integers, scale=scale)

    def value(self, shape: Any, scale: float, zero: int = 2, *, own: bool = True) -> TensorRef:
        factor = 1 + 0.01 * self.turn if own and self.layer.own else 1.0
        return self.graph.tensor(tuple(shape), self.layer.dtype, **self.known(scale * factor, zero))

    def known(self, scale: float, zero: int) -> dict[str, Any]:
        return {} if self.layer.dtype == "float32" else {"scale": scale, "zero_point": zero}
