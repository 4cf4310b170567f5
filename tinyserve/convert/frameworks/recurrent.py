# SPDX-License-Identifier: Apache-2.0
"""Keras' recurrent layers as TFLite's converter and quantizer can take them. Worker process only.

A recurrent layer is traced as a loop over tensor lists, which ends in operators that no quantizer takes (and
that bring TensorFlow's down). On a microcontroller the number of steps is fixed: an LSTM that begins with
zeros becomes one operator (``Sequences`` cuts it out of what the converter sees, ``put`` puts it back); the
steps of all others are laid out one after the other, with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyserve.compiler.graph import reader
from tinyserve.convert.tflite import sequence_lstm, signature
from tinyserve.convert.tflite.sequence_lstm import Cell, Place
from tinyserve.convert.tflite.signature import Signature

_MANY_STEPS = 64


def unroll(layers: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """Has these recurrent layers lay their steps out. Returns notes for the manifest."""
    for layer in layers:
        layer.unroll = True
    steps = max((shape[1] for shape in shapes if len(shape) > 2), default=0)
    if layers and steps > _MANY_STEPS:
        names = ", ".join(str(layer.name) for layer in layers)
        return [
            f"recurrent layers are unrolled over {steps} steps ({names}): shorter windows make smaller "
            "models, and an LSTM without a mask that begins with zeros stays one operator"
        ]
    return []


def loops(model: Any) -> list[Any]:
    """All recurrent layers inside the model, each once."""
    return [layer for layer in _layers(model) if hasattr(layer, "unroll") and hasattr(layer, "cell")]


def is_lstm(layer: Any) -> bool:
    """Whether the layer's cells are what UNIDIRECTIONAL_SEQUENCE_LSTM computes."""
    cell = layer.cell
    activations = [getattr(getattr(cell, kind, None), "__name__", "") for kind in
                   ("activation", "recurrent_activation")]  # fmt: skip
    own = type(cell).__name__ == "LSTMCell" and type(cell).__module__.startswith("keras.")
    return own and hasattr(layer, "inner_loop") and activations == ["tanh", "sigmoid"]


@dataclass(frozen=True)
class _Sequence:
    """A call of an LSTM layer while the model is traced."""

    name: str
    layer: Any
    given: tuple[int, ...]
    last_cell: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its output, of all steps."""
        return (*self.given[:2], int(self.layer.cell.units))

    def cell(self) -> Cell:
        """Keras has the gates in the operator's order, one after the other in columns."""
        own, units = self.layer.cell, int(self.layer.cell.units)
        bias = np.zeros(4 * units, np.float32) if own.bias is None else own.bias.numpy()
        weights, recurrent = (
            kernel.numpy().T.reshape(4, units, -1) for kernel in (own.kernel, own.recurrent_kernel)
        )
        return Cell(weights, recurrent, bias.reshape(4, units))


class Sequences:
    """LSTM layers of a model under two traces: ``watched`` notes the calls that can be one operator each;
    ``cut`` ends the graph in front of them and begins it again behind them."""

    def __init__(self, tf: Any, layers: Sequence[Any]) -> None:
        self._tf = tf
        self._layers = list(layers)
        self._found: list[_Sequence] = []
        self._unfit: list[Any] = []
        self._graph: Any = None
        self._stubs: list[Any] | None = None
        self._given: list[Any] = []
        for layer in self._layers:
            layer.inner_loop = self._loop(layer, layer.inner_loop)

    @property
    def unfit(self) -> list[Any]:
        """Layers of which a call is no such operator: masked, with states that are given or kept."""
        return self._unfit

    def watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, to be traced as it is."""

        def watch(*inputs: Any) -> Any:
            self._begin(None)
            return call(*inputs)

        return watch

    def choose(self) -> bool:
        """After a watched trace: settles which layers are cut. Whether there are any."""
        for one in self._found:
            if one.last_cell is not None and one.last_cell.consumers():
                self._refuse(one.layer)
        self._found = [one for one in self._found if not any(one.layer is layer for layer in self._unfit)]
        return bool(self._found)

    def specs(self) -> list[Any]:
        """Of the inputs that ``cut`` takes behind the model's own."""
        return [self._tf.TensorSpec(one.shape, self._tf.float32) for one in self._found]

    def cut(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call`` with the outputs of the layers as further inputs, and their inputs as further outputs."""

        def run(*inputs: Any) -> Any:
            own = len(inputs) - len(self._found)
            self._begin(list(inputs[own:]))
            outputs = self._tf.nest.flatten(call(*inputs[:own]))
            return [*outputs, *self._given]

        return run

    def put(self, data: bytes, called: Signature) -> bytes:
        """The .tflite of what ``cut`` gave with the layers as operators; ``called`` as the model's own inputs
        and outputs."""
        main = reader.read(data).main
        inputs, outputs = (tensors[-len(self._found) :] for tensors in (main.inputs, main.outputs))
        names = signature.unique([one.name for one in self._found])
        places = [
            Place(name, source.index, target.index, one.cell())
            for name, one, source, target in zip(names, self._found, outputs, inputs, strict=True)
        ]
        return signature.named(sequence_lstm.inserted(data, places), called)

    def signature(self, called: Signature) -> Signature:
        """``called`` with names for what ``cut`` adds."""
        count = len(self._found)
        return Signature(
            (*called.inputs, *signature.numbered(count, "sequence_out_")),
            (*called.outputs, *signature.numbered(count, "sequence_in_")),
        )

    def _begin(self, stubs: list[Any] | None) -> None:
        self._graph, self._stubs, self._given = self._tf.compat.v1.get_default_graph(), stubs, []
        if stubs is None:
            self._found, self._unfit = [], []

    def _refuse(self, layer: Any) -> None:
        if not any(layer is one for one in self._unfit):
            self._unfit.append(layer)

    def _loop(self, layer: Any, real: Callable[..., Any]) -> Callable[..., Any]:
        """What stands for the layer's ``inner_loop``."""

        def loop(sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
            if self._stubs is not None and not any(layer is one for one in self._unfit):
                return self._behind(layer, sequences)
            made = real(sequences, initial_state, mask, training=training)
            if self._stubs is None:
                self._note(layer, sequences, initial_state, mask, made[2])
            return made

        return loop

    def _behind(self, layer: Any, sequences: Any) -> Any:
        assert self._stubs is not None
        outputs = self._stubs[len(self._given)]
        self._given.append(sequences[:, ::-1, :] if layer.go_backwards else sequences)
        return outputs[:, -1, :], outputs, [outputs[:, -1, :]] * 2

    def _note(self, layer: Any, sequences: Any, states: Any, mask: Any, last: Any) -> None:
        graph = self._tf.compat.v1.get_default_graph()
        given = sequences.shape
        fits = mask is None and graph is self._graph and given.is_fully_defined() and given[1] > 1
        if not fits or sequences.dtype != self._tf.float32 or not all(map(self._is_zero, states)):
            self._refuse(layer)
            return
        name = graph.get_name_scope() or str(layer.name)
        self._found.append(
            _Sequence(name, layer, tuple(given.as_list()), last[1] if layer.return_state else None)
        )

    def _is_zero(self, state: Any) -> bool:
        value = self._tf.get_static_value(state)
        return value is not None and not np.any(value)


def _layers(model: Any) -> Iterator[Any]:
    """All layers, in wrappers and nested models too, each once."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        waiting += _inside(layer)


def _inside(layer: Any) -> list[Any]:
    flatten = getattr(layer, "_flatten_layers", None)
    if flatten is None:
        return []
    try:
        return list(flatten(include_self=False, recursive=False))
    except TypeError:  # another Keras takes other arguments
        return list(flatten())
