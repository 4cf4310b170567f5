# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers, unrolled: one step after the other with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import linear, movement
from tinyserve.convert.frameworks.onnx_import.arithmetic import (
    add,
    at_least,
    at_most,
    multiply,
    subtract,
    unary,
)
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.nodes.activations import hard_sigmoid
from tinyserve.convert.frameworks.onnx_import.values import Value

Array = npt.NDArray[Any]
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


@dataclass(frozen=True)
class Layer:
    """One direction. Weights per gate: [gates][H][I] and [gates][H][H]; biases [gates][H], of the input
    and of the state."""

    weights: Array
    recurrent: Array
    bias: Array
    state_bias: Array
    activations: list[Callable[[Context, Value], Value]]
    peepholes: Array | None
    clip: float

    @property
    def units(self) -> int:
        return int(self.weights.shape[1])


@handles("LSTM", "GRU", "RNN")
def _recurrent(ctx: Context, node: Node) -> list[Value]:
    x = node.input(0)
    batch_first = bool(node.attribute("layout", 0))
    if batch_first:
        x = movement.transpose(ctx, x, (1, 0, 2))
    steps, batch, _ = x.shape
    _check(node, steps)
    direction = node.attribute("direction", "forward")
    count = 2 if direction == "bidirectional" else 1
    made = [
        _run(ctx, node, x, _layer(node, index), _states(ctx, node, index, batch, batch_first),
             backwards=direction == "reverse" or index == 1)
        for index in range(count)
    ]  # fmt: skip
    return _outputs(ctx, node, made, batch_first)


def _check(node: Node, steps: int) -> None:
    lengths = node.optional(4)
    if lengths is not None and (lengths.data is None or (lengths.data != steps).any()):
        raise node.refusal(
            "with sequences of several lengths (packed)",
            "export it for one length, without pack_padded_sequence",
        )


def _layer(node: Node, index: int) -> Layer:
    gates = _GATES[node.op]
    weights, recurrent = (node.constant(i, "weights")[index].astype(np.float32) for i in (1, 2))
    units = recurrent.shape[-1]
    biases = (
        np.zeros(2 * gates * units, np.float32)
        if node.optional(3) is None
        else node.constant(3, "biases")[index]
    )
    both = biases.reshape(2, gates, units).astype(np.float32)
    names = node.attribute("activations") or []
    names = [name.decode() if isinstance(name, bytes) else name for name in names]
    own = _DEFAULTS[node.op]
    names = (names or own * (index + 1))[index * len(own) : (index + 1) * len(own)]
    peepholes = node.constant(7, "peepholes")[index] if node.optional(7) is not None else None
    return Layer(
        weights=weights.reshape(gates, units, -1),
        recurrent=recurrent.reshape(gates, units, units),
        bias=both[0],
        state_bias=both[1],
        activations=[_activation(node, name, index) for name in names],
        peepholes=None if peepholes is None else peepholes.reshape(3, units).astype(np.float32),
        clip=float(node.attribute("clip", 0.0) or 0.0),
    )


def _activation(node: Node, name: str, index: int) -> Callable[[Context, Value], Value]:
    simple = {"sigmoid": "LOGISTIC", "tanh": "TANH", "relu": "RELU"}
    if name.lower() in simple:
        return lambda ctx, x: unary(ctx, simple[name.lower()], x)
    if name.lower() == "hardsigmoid":
        return lambda ctx, x: hard_sigmoid(ctx, x, 0.2, 0.5)
    if name.lower() == "affine" or name.lower() == "identity":
        return lambda ctx, x: x
    raise node.refusal(f"with the activation {name}")


def _states(ctx: Context, node: Node, index: int, batch: int, batch_first: bool) -> list[Value | None]:
    """The initial hidden and cell state (batch, units); None for zeros."""
    found = list[Value | None]()
    for place in (5, 6) if node.op == "LSTM" else (5,):
        value = node.optional(place)
        if value is None or (value.data is not None and not value.data.any()):
            found.append(None)
            continue
        axis = 1 if batch_first else 0
        one = movement.take(ctx, value, axis, index, 1)
        found.append(movement.squeeze(ctx, one, [axis]))
    return found


def _run(
    ctx: Context, node: Node, x: Value, layer: Layer, states: list[Value | None], *, backwards: bool
) -> tuple[list[Value], list[Value]]:
    """The hidden state after each step, in the order of the steps, and the last states."""
    steps, batch, features = x.shape
    order = range(steps)[::-1] if backwards else range(steps)
    step = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[node.op]
    whole = step.__name__ == "_gru" and not node.attribute("linear_before_reset", 0)
    hidden: dict[int, Value] = {}
    for t in order:
        given = movement.reshape(ctx, movement.take(ctx, x, 0, t, 1), (batch, features))
        states = list(_gru_before(ctx, layer, given, states) if whole else step(ctx, layer, given, states))
        assert states[0] is not None
        hidden[t] = states[0]
    return [hidden[t] for t in range(steps)], [state for state in states if state is not None]


def _gate(ctx: Context, layer: Layer, gate: int, x: Value, hidden: Value | None) -> Value:
    """W x + R h + both biases."""
    total = layer.bias[gate] + layer.state_bias[gate]
    inner = linear.fully_connected(ctx, x, layer.weights[gate], total)
    if hidden is not None:
        inner = add(ctx, inner, linear.fully_connected(ctx, hidden, layer.recurrent[gate]))
    return _clipped(ctx, layer, inner)


def _clipped(ctx: Context, layer: Layer, x: Value) -> Value:
    if not layer.clip:
        return x
    return at_least(ctx, at_most(ctx, x, layer.clip), -layer.clip)


def _lstm(ctx: Context, layer: Layer, x: Value, states: list[Value | None]) -> list[Value | None]:
    """Gates lie as input, output, forget, cell."""
    hidden, cell = states
    f, g, h = layer.activations
    inner = [_gate(ctx, layer, gate, x, hidden) for gate in range(4)]
    if layer.peepholes is not None and cell is not None:
        inner[0] = add(ctx, inner[0], multiply(ctx, cell, ctx.constant(layer.peepholes[0])))
        inner[2] = add(ctx, inner[2], multiply(ctx, cell, ctx.constant(layer.peepholes[2])))
    new = multiply(ctx, f(ctx, inner[0]), g(ctx, inner[3]))
    if cell is not None:
        new = add(ctx, multiply(ctx, f(ctx, inner[2]), cell), new)
    if layer.peepholes is not None:
        inner[1] = add(ctx, inner[1], multiply(ctx, new, ctx.constant(layer.peepholes[1])))
    return [multiply(ctx, f(ctx, inner[1]), h(ctx, new)), new]


def _gru(ctx: Context, layer: Layer, x: Value, states: list[Value | None]) -> list[Value | None]:
    """Gates lie as update, reset, hidden; the state is reset behind its weights (PyTorch, Keras)."""
    hidden = states[0]
    f, g = layer.activations
    update, reset = (f(ctx, _gate(ctx, layer, gate, x, hidden)) for gate in (0, 1))
    inner = linear.fully_connected(ctx, x, layer.weights[2], layer.bias[2])
    if hidden is None:
        state: Value = ctx.constant(layer.state_bias[2][None])
    else:
        state = linear.fully_connected(ctx, hidden, layer.recurrent[2], layer.state_bias[2])
    if hidden is not None or layer.state_bias[2].any():
        inner = add(ctx, inner, multiply(ctx, reset, state))
    return [_mixed(ctx, update, g(ctx, _clipped(ctx, layer, inner)), hidden)]


def _gru_before(ctx: Context, layer: Layer, x: Value, states: list[Value | None]) -> list[Value | None]:
    """As ``_gru``; the state is reset before its weights (ONNX's default)."""
    hidden = states[0]
    f, g = layer.activations
    update = f(ctx, _gate(ctx, layer, 0, x, hidden))
    if hidden is None:
        return [_mixed(ctx, update, g(ctx, _gate(ctx, layer, 2, x, None)), None)]
    reset = multiply(ctx, f(ctx, _gate(ctx, layer, 1, x, hidden)), hidden)
    return [_mixed(ctx, update, g(ctx, _gate(ctx, layer, 2, x, reset)), hidden)]


def _mixed(ctx: Context, update: Value, new: Value, hidden: Value | None) -> Value:
    """(1 - update) * new + update * hidden."""
    fresh = multiply(ctx, subtract(ctx, ctx.scalar(1), update), new)
    return fresh if hidden is None else add(ctx, multiply(ctx, update, hidden), fresh)


def _rnn(ctx: Context, layer: Layer, x: Value, states: list[Value | None]) -> list[Value | None]:
    return [layer.activations[0](ctx, _gate(ctx, layer, 0, x, states[0]))]


def _outputs(
    ctx: Context, node: Node, made: list[tuple[list[Value], list[Value]]], batch_first: bool
) -> list[Value]:
    """Y (steps, directions, batch, units), Y_h and Y_c (directions, batch, units), of which some may not be
    asked for."""
    wanted = [bool(name) for name in node.proto.output] + [False] * 3
    results = list[Value]()
    units = made[0][0][0].shape[-1]
    batch = made[0][0][0].shape[0]
    if wanted[0]:
        rows = [
            movement.reshape(ctx, hidden, (1, 1, batch, units))
            for pair in zip(*(h for h, _ in made), strict=True)
            for hidden in pair
        ]
        steps = len(made[0][0])
        joined = movement.concatenate(ctx, rows, 0)
        whole = movement.reshape(ctx, joined, (steps, len(made), batch, units))
        results.append(movement.transpose(ctx, whole, (2, 0, 1, 3)) if batch_first else whole)
    else:
        results.append(ctx.scalar(0))
    for index in (0, 1):
        if not wanted[1 + index]:
            results.append(ctx.scalar(0))
            continue
        last = [movement.reshape(ctx, states[index], (1, batch, units)) for _, states in made]
        joined = movement.concatenate(ctx, last, 0)
        results.append(movement.transpose(ctx, joined, (1, 0, 2)) if batch_first else joined)
    return results[: len(node.proto.output)]
