# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers. An LSTM that begins with zeros is one operator; all others are unrolled: one step after
the other with the same weights.

The weights of all gates are one matrix. What has the same part in every step is called alike (see
``convert.alike``), so that it gets one scale, and all steps one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert import alike
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
from tinyserve.convert.frameworks.onnx_import.nodes import activations
from tinyserve.convert.frameworks.onnx_import.values import Value
from tinyserve.convert.tflite import sequence_lstm
from tinyserve.convert.tflite.sequence_lstm import Cell
from tinyserve.escapes import visible

Array = npt.NDArray[Any]
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}

Activation = Callable[[Context, Value], Value]
_FUNCTIONS: dict[str, dict[str, float]] = {
    "sigmoid": {}, "tanh": {}, "relu": {}, "softsign": {}, "softplus": {},
    "affine": {"alpha": 1.0, "beta": 0.0}, "scaledtanh": {"alpha": 1.0, "beta": 1.0},
    "hardsigmoid": {"alpha": 0.2, "beta": 0.5},
    "leakyrelu": {"alpha": 0.01}, "thresholdedrelu": {"alpha": 1.0}, "elu": {"alpha": 1.0},
}  # fmt: skip
"""The parameters that each takes, and what they are where none are given."""


@dataclass(frozen=True)
class Layer:
    """One direction. Weights per gate: [gates][H][I] and [gates][H][H]; biases [gates][H], of the input
    and of the state."""

    weights: Array
    recurrent: Array
    bias: Array
    state_bias: Array
    activations: list[Activation]
    peepholes: Array | None
    clip: float
    plain: bool  # activations are the operator's own

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
    layers = [_layer(node, index) for index in range(count)]
    states = [_states(ctx, node, index, batch, batch_first) for index in range(count)]
    backwards = [direction == "reverse" or index == 1 for index in range(count)]
    if steps > 1 and all(_is_sequence(node, *pair) for pair in zip(layers, states, strict=True)):
        whole = [_sequence(ctx, x, layer, back) for layer, back in zip(layers, backwards, strict=True)]
        return _of_sequences(ctx, node, whole, backwards, batch_first)
    made = [
        _run(ctx, node, x, layer, state, backwards=back)
        for layer, state, back in zip(layers, states, backwards, strict=True)
    ]
    return _outputs(ctx, node, made, batch_first)


def _is_sequence(node: Node, layer: Layer, states: list[Value | None]) -> bool:
    """Whether UNIDIRECTIONAL_SEQUENCE_LSTM computes this: it begins with zeros, and gives no cells."""
    plain = node.op == "LSTM" and layer.plain and layer.peepholes is None and not layer.clip
    return plain and not any(states) and not any(node.wanted[2:])


def _sequence(ctx: Context, x: Value, layer: Layer, backwards: bool) -> Value:
    """The hidden states after each step, (steps, batch, units), in the order of the input."""
    order = [0, 2, 3, 1]  # ONNX has input, output, forget, cell
    cell = Cell(layer.weights[order], layer.recurrent[order], (layer.bias + layer.state_bias)[order])
    given = movement.reverse(ctx, x, 0) if backwards else x
    steps, batch, _ = x.shape
    scope = f"{ctx.scope}/backwards" if backwards else ctx.scope
    constants = [ctx.draft.constant(f"{scope}/{name}", values) for name, values in cell.constants().items()]
    states = [_zero_state(ctx, f"{scope}/{name}", (batch, layer.units)) for name in ("hidden", "cell")]
    inputs = sequence_lstm.operands(ctx.tensor(given), constants, states)
    shape = (steps, batch, layer.units)
    made = ctx.emit(sequence_lstm.NAME, inputs, shape, timeMajor=1, **sequence_lstm.OPTIONS)
    hidden = ctx.computed(made, shape)
    return movement.reverse(ctx, hidden, 0) if backwards else hidden


def _zero_state(ctx: Context, name: str, shape: tuple[int, int]) -> int:
    """A variable that is set to zeros in each inference."""
    state = ctx.draft.tensor(name, shape, "float32", variable=True)
    zeros = ctx.draft.constant(f"{name}_zeros", np.zeros(shape, np.float32))
    part = [
        ctx.draft.constant(f"{name}_{end}", np.array(at, np.int32))
        for end, at in (("begin", (0, 0)), ("size", shape))
    ]
    ctx.draft.operator("SLICE", [zeros, *part], [state])
    return state


def _of_sequences(
    ctx: Context, node: Node, whole: list[Value], backwards: list[bool], batch_first: bool
) -> list[Value]:
    """As ``_outputs``, from the hidden states of each direction; there are no cells."""
    steps, batch, units = whole[0].shape
    parts = [movement.reshape(ctx, hidden, (steps, 1, batch, units)) for hidden in whole]
    every = movement.concatenate(ctx, parts, 1)
    last = [
        movement.take(ctx, hidden, 0, 0 if back else steps - 1, 1)
        for hidden, back in zip(whole, backwards, strict=True)
    ]
    final = movement.concatenate(ctx, last, 0)
    if batch_first:
        every, final = movement.transpose(ctx, every, (2, 0, 1, 3)), movement.transpose(ctx, final, (1, 0, 2))
    unread = ctx.constant(np.zeros(final.shape, np.float32))
    return [every, final, unread][: len(node.proto.output)]


def _check(node: Node, steps: int) -> None:
    lengths = node.optional(4)
    if lengths is not None and (lengths.data is None or (lengths.data != steps).any()):
        raise node.refusal(
            "with sequences of several lengths (packed)",
            "export it for one length, without pack_padded_sequence",
        )
    if node.attribute("input_forget", 0):
        raise node.refusal(
            "whose input and forget gates are one (input_forget)", "export it with a forget gate of its own"
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
    names, functions = _activations(node, index)
    peepholes = node.constant(7, "peepholes")[index] if node.optional(7) is not None else None
    return Layer(
        weights=weights.reshape(gates, units, -1),
        recurrent=recurrent.reshape(gates, units, units),
        bias=both[0],
        state_bias=both[1],
        activations=functions,
        peepholes=None if peepholes is None else peepholes.reshape(3, units).astype(np.float32),
        clip=float(node.attribute("clip", 0.0) or 0.0),
        plain=names == ["sigmoid", "tanh", "tanh"],
    )


def _activations(node: Node, index: int) -> tuple[list[str], list[Activation]]:
    """The names and the functions of one direction. The lists of parameters have an entry for each function
    that takes one, of all directions."""
    count = len(_DEFAULTS[node.op])
    names = [
        _text(name).lower() for name in node.attribute("activations") or _DEFAULTS[node.op] * (index + 1)
    ]
    given = {key: list(node.attribute(f"activation_{key}") or []) for key in ("alpha", "beta")}
    made = []
    for name in names[: (index + 1) * count]:
        if name not in _FUNCTIONS:
            raise node.refusal(f"with the activation {visible(name)}")
        values = dict(_FUNCTIONS[name])
        for key in values:
            if given[key]:
                values[key] = float(given[key].pop(0))
        made.append(_activation(name, values))
    return names[index * count :][:count], made[index * count :]


def _text(name: str | bytes) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name


def _activation(name: str, values: dict[str, float]) -> Activation:
    alpha, beta = values.get("alpha", 1.0), values.get("beta", 0.0)
    functions: dict[str, Activation] = {
        "sigmoid": lambda ctx, x: unary(ctx, "LOGISTIC", x),
        "tanh": lambda ctx, x: unary(ctx, "TANH", x),
        "relu": lambda ctx, x: unary(ctx, "RELU", x),
        "softsign": activations.softsign,
        "softplus": activations.softplus,
        "affine": lambda ctx, x: _line(ctx, x, alpha, beta),
        "scaledtanh": lambda ctx, x: _line(ctx, unary(ctx, "TANH", _line(ctx, x, beta)), alpha),
        "hardsigmoid": lambda ctx, x: activations.hard_sigmoid(ctx, x, alpha, beta),
        "leakyrelu": lambda ctx, x: unary(ctx, "LEAKY_RELU", x, alpha=alpha),
        "thresholdedrelu": lambda ctx, x: activations.thresholded_relu(ctx, x, alpha),
        "elu": lambda ctx, x: activations.elu(ctx, x, alpha, 1.0),
    }
    return functions[name]


def _line(ctx: Context, x: Value, slope: float, shift: float = 0.0) -> Value:
    scaled = x if slope == 1 else multiply(ctx, x, ctx.scalar(slope))
    return scaled if shift == 0 else add(ctx, scaled, ctx.scalar(shift))


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
    steps = x.shape[0]
    order = range(steps)[::-1] if backwards else range(steps)
    step = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[node.op]
    if node.op == "GRU" and not node.attribute("linear_before_reset", 0):
        step = _gru_before
    scope = ctx.scope
    bias = layer.bias if step is _gru else layer.bias + layer.state_bias
    hidden: dict[int, Value] = {}
    for t in order:
        ctx.enter(f"{scope}.{alike.step('backwards' if backwards else 'step', t)}")
        states = list(step(ctx, layer, _of_input(ctx, x, t, layer, bias), states))
        assert states[0] is not None
        hidden[t] = states[0]
    ctx.enter(scope)
    return [hidden[t] for t in range(steps)], [state for state in states if state is not None]


def _of_input(ctx: Context, x: Value, t: int, layer: Layer, bias: Array) -> Value:
    """W x + bias of all gates at step ``t``, (batch, gates * units). For all steps at once it would be one
    operator, whose result would lie in the arena until the last step."""
    _, batch, features = x.shape
    row = movement.reshape(ctx, movement.take(ctx, x, 0, t, 1), (batch, features))
    weights = layer.weights.reshape(-1, features)
    return _alike(ctx, linear.fully_connected(ctx, row, weights, bias.reshape(-1)), "of_input")


def _alike(ctx: Context, value: Value, role: str) -> Value:
    """The value, called by the part that it has in this step."""
    if value.data is None:
        for tensor in value.forms.values():
            ctx.draft.tensors[tensor].name = f"{ctx.scope}/{role}"
    return value


def _of_state(ctx: Context, layer: Layer, hidden: Value, gates: slice, bias: Array | None = None) -> Value:
    """R h of these gates, one after the other."""
    weights = layer.recurrent[gates].reshape(-1, layer.units)
    return _alike(ctx, linear.fully_connected(ctx, hidden, weights, bias), f"state_{gates.start or 0}")


def _gates(ctx: Context, layer: Layer, given: Value, hidden: Value | None) -> list[Value]:
    """W x + R h + both biases, gate by gate."""
    inner = given
    if hidden is not None:
        inner = _alike(ctx, add(ctx, given, _of_state(ctx, layer, hidden, slice(None))), "gates")
    return [_clipped(ctx, layer, gate) for gate in _parts(ctx, inner, len(layer.weights), hidden)]


def _parts(ctx: Context, x: Value, count: int, hidden: Value | None) -> list[Value]:
    """The gates in ``x``. The first step does not read all of them: they are slices there, of which
    the unread ones go; a SPLIT would keep a part without a range."""
    if hidden is not None:
        return movement.split(ctx, x, 1, count)
    units = x.shape[1] // count
    return [movement.take(ctx, x, 1, gate * units, units) for gate in range(count)]


def _clipped(ctx: Context, layer: Layer, x: Value) -> Value:
    if not layer.clip:
        return x
    return at_least(ctx, at_most(ctx, x, layer.clip), -layer.clip)


def _lstm(ctx: Context, layer: Layer, given: Value, states: list[Value | None]) -> list[Value | None]:
    """Gates lie as input, output, forget, cell."""
    hidden, cell = states
    f, g, h = layer.activations
    inner = _gates(ctx, layer, given, hidden)
    if layer.peepholes is not None and cell is not None:
        inner[0] = add(ctx, inner[0], multiply(ctx, cell, ctx.constant(layer.peepholes[0])))
        inner[2] = add(ctx, inner[2], multiply(ctx, cell, ctx.constant(layer.peepholes[2])))
    new = _alike(ctx, multiply(ctx, f(ctx, inner[0]), g(ctx, inner[3])), "new")
    if cell is not None:
        kept = _alike(ctx, multiply(ctx, f(ctx, inner[2]), cell), "kept")
        new = add(ctx, kept, new)
    cell = _alike(ctx, new, "cell")
    if layer.peepholes is not None:
        inner[1] = add(ctx, inner[1], multiply(ctx, cell, ctx.constant(layer.peepholes[1])))
    return [_alike(ctx, multiply(ctx, f(ctx, inner[1]), h(ctx, cell)), "hidden"), cell]


def _gru(ctx: Context, layer: Layer, given: Value, states: list[Value | None]) -> list[Value | None]:
    """Gates lie as update, reset, hidden; the state is reset behind its weights (PyTorch, Keras)."""
    hidden = states[0]
    f, g = layer.activations
    of_input = _parts(ctx, given, 3, hidden)
    biases = layer.state_bias
    if hidden is None:
        of_state = [ctx.constant(bias[None]) for bias in biases]
    else:
        whole = _of_state(ctx, layer, hidden, slice(None), biases.reshape(-1))
        of_state = movement.split(ctx, whole, 1, 3)
    sums = [
        of_input[gate]
        if hidden is None and not biases[gate].any()
        else _alike(ctx, add(ctx, of_input[gate], of_state[gate]), f"gate_{gate}")
        for gate in (0, 1)
    ]
    update, reset = (f(ctx, _clipped(ctx, layer, gate)) for gate in sums)
    inner = of_input[2]
    if hidden is not None or biases[2].any():
        part = _alike(ctx, multiply(ctx, reset, of_state[2]), "reset")
        inner = _alike(ctx, add(ctx, inner, part), "gate_2")
    return [_mixed(ctx, update, g(ctx, _clipped(ctx, layer, inner)), hidden)]


def _gru_before(ctx: Context, layer: Layer, given: Value, states: list[Value | None]) -> list[Value | None]:
    """As ``_gru``; the state is reset before its weights (ONNX's default)."""
    hidden = states[0]
    f, g = layer.activations
    inner = _parts(ctx, given, 3, hidden)
    if hidden is None:
        update, new = f(ctx, _clipped(ctx, layer, inner[0])), g(ctx, _clipped(ctx, layer, inner[2]))
        return [_mixed(ctx, update, new, None)]
    of_state = movement.split(ctx, _of_state(ctx, layer, hidden, slice(0, 2)), 1, 2)
    sums = [_alike(ctx, add(ctx, inner[gate], of_state[gate]), f"gate_{gate}") for gate in (0, 1)]
    update, reset = (f(ctx, _clipped(ctx, layer, gate)) for gate in sums)
    kept = _alike(ctx, multiply(ctx, reset, hidden), "reset")
    last = _alike(ctx, add(ctx, inner[2], _of_state(ctx, layer, kept, slice(2, 3))), "gate_2")
    return [_mixed(ctx, update, g(ctx, _clipped(ctx, layer, last)), hidden)]


def _mixed(ctx: Context, update: Value, new: Value, hidden: Value | None) -> Value:
    """(1 - update) * new + update * hidden."""
    rest = _alike(ctx, subtract(ctx, ctx.scalar(1), update), "rest")
    fresh = _alike(ctx, multiply(ctx, rest, new), "fresh")
    if hidden is not None:
        fresh = add(ctx, _alike(ctx, multiply(ctx, update, hidden), "kept"), fresh)
    return _alike(ctx, fresh, "hidden")


def _rnn(ctx: Context, layer: Layer, given: Value, states: list[Value | None]) -> list[Value | None]:
    [inner] = _gates(ctx, layer, given, states[0])
    return [_alike(ctx, layer.activations[0](ctx, inner), "hidden")]


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
