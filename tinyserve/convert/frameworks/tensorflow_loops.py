# SPDX-License-Identifier: Apache-2.0
"""Loops of a TensorFlow function laid out turn by turn: the recurrent layers of a SavedModel. Worker process
only.

Of a SavedModel nothing but its graph is left, where a recurrent layer is a While over lists of tensors, which
TFLite's converter refuses. The graph is run once more, with symbols for what depends on an input. What does
not is computed at once (counters, conditions); lists of tensors are lists; each turn leaves its operators.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyserve.convert.frameworks import tensorflow
from tinyserve.errors import UnsupportedError

_LOOPS = frozenset(("While", "StatelessWhile"))
_BRANCHES = frozenset(("If", "StatelessIf"))
_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
_MOST_TURNS = 1024
_PASSED_ON = frozenset(("Identity", "StopGradient", "PreventGradient"))
_SHORTER = "export the model for a fixed number of steps, at most 1,024"


def has_loops(function: Any) -> bool:
    """Whether a concrete function has loops, and no state, which would be written in an order."""
    if tensorflow.assigns(function):
        return False
    graph = _frozen(function).graph.as_graph_def()
    nodes = [*graph.node, *(node for called in graph.library.function for node in called.node_def)]
    return any(node.op in _LOOPS for node in nodes)


def laid_out(tf: Any, function: Any) -> Callable[..., list[Any]]:
    """What gives the outputs of a function of ``tensorflow.traced`` without loops, for another trace. Raises
    UnsupportedError where inputs decide how often a loop turns."""
    frozen = _frozen(function)
    run = _Run(tf, frozen.graph.as_graph_def())

    def call(*inputs: Any) -> list[Any]:
        given = {tensor.op.name: value for tensor, value in zip(frozen.inputs, inputs, strict=True)}
        found = run.graph(run.main, given)
        return [found[tensor.name.split(":")[0]][int(tensor.name.split(":")[1])] for tensor in frozen.outputs]

    return tf.autograph.experimental.do_not_convert(call)  # type: ignore[no-any-return]


def _frozen(function: Any) -> Any:
    """With variables as constants, and loops as what they are."""
    framework = importlib.import_module("tensorflow.python.framework.convert_to_constants")
    return framework.convert_variables_to_constants_v2(function, lower_control_flow=False)


class _Run:
    def __init__(self, tf: Any, main: Any) -> None:
        self.tf, self.main = tf, main
        self._functions = {made.signature.name: made for made in main.library.function}
        self._ready: dict[str, Any] = {}

    def graph(self, graph: Any, given: Mapping[str, Any]) -> dict[str, list[Any]]:
        """All values of a GraphDef by the names of their nodes; ``given`` are those of its placeholders."""
        nodes = {node.name: node for node in graph.node}
        found: dict[str, list[Any]] = {name: [value] for name, value in given.items()}
        waiting = list(nodes)
        while waiting:
            name = waiting[-1]
            reads = [_place(text) for text in nodes[name].input if not text.startswith("^")]
            missing = [source for source, _ in reads if source not in found]
            if name not in found and missing:
                waiting += missing
                continue
            waiting.pop()
            if name not in found:
                found[name] = self._values(nodes[name], [found[source][index] for source, index in reads])
        return found

    def _values(self, node: Any, inputs: list[Any]) -> list[Any]:
        tf = self.tf
        if node.op in _LOOPS | _BRANCHES:
            return self._loop(node, inputs) if node.op in _LOOPS else self._branch(node, inputs)
        if node.op in _CALLS:
            return self._called(node.attr["f"].func.name, inputs)
        if node.op == "Const":
            return [_eager(tf, lambda: tf.constant(tf.make_ndarray(node.attr["value"].tensor)))]
        if node.op in _PASSED_ON:
            return inputs[:1]
        if node.op.startswith("TensorList"):
            return [self._list(node, inputs)]
        return self._computed(node, inputs)

    def _loop(self, node: Any, values: list[Any]) -> list[Any]:
        goes_on, body, turns = node.attr["cond"].func.name, node.attr["body"].func.name, 0
        while bool(_number(self._called(goes_on, values)[0], node)):
            values, turns = self._called(body, values), turns + 1
            if turns > _MOST_TURNS:
                raise UnsupportedError(f"the loop '{node.name}' has over {_MOST_TURNS:,} turns", _SHORTER)
        return values

    def _branch(self, node: Any, inputs: list[Any]) -> list[Any]:
        """Both branches, as functions of the new trace; one where the condition is known."""
        condition, *values = inputs
        names = [node.attr[branch].func.name for branch in ("then_branch", "else_branch")]
        if hasattr(condition, "numpy"):
            return self._called(names[0 if _number(condition, node) else 1], values)
        either = [lambda name=name: tuple(self._called(name, values)) for name in names]
        found: list[Any] = self.tf.nest.flatten(self.tf.cond(condition, *either))
        return found

    def _called(self, name: str, inputs: list[Any]) -> list[Any]:
        if name not in self._ready:
            module = importlib.import_module("tensorflow.python.framework.function_def_to_graph")
            self._ready[name] = module.function_def_to_graph_def(self._functions[name])
        graph, places = self._ready[name]
        signature = self._functions[name].signature
        names = [argument.name for argument in signature.input_arg]
        found = self.graph(graph, dict(zip(names, inputs, strict=True)))
        results = [self._functions[name].ret[argument.name] for argument in signature.output_arg]
        ends = [_place(places[result]) for result in results]
        return [found[source][index] for source, index in ends]

    def _list(self, node: Any, inputs: list[Any]) -> Any:
        tf, kind = self.tf, node.op.removeprefix("TensorList")
        if kind == "Reserve":
            return [None] * int(_number(inputs[1], node))
        if kind == "FromTensor":
            return tf.unstack(inputs[0])
        if kind == "GetItem":
            return inputs[0][int(_number(inputs[1], node))]
        if kind == "SetItem":
            return [inputs[2] if i == int(_number(inputs[1], node)) else v for i, v in enumerate(inputs[0])]
        if kind == "Stack":
            return tf.stack(inputs[0])
        if kind == "Length":
            return _eager(tf, lambda: tf.constant(len(inputs[0])))
        raise UnsupportedError(f"'{node.name}' is a {node.op}, which has no form here", _SHORTER)

    def _computed(self, node: Any, inputs: list[Any]) -> list[Any]:
        """By TensorFlow's own operator; at once where no input of the model changes it."""
        registry = importlib.import_module("tensorflow.python.framework.op_def_registry")
        operator = getattr(self.tf.raw_ops, node.op)
        parameters = [name for name in inspect.signature(operator).parameters if name != "name"]
        attributes = {n: _attribute(self.tf, node.attr[n]) for n in parameters if n in node.attr}
        named = _arguments(registry.get(node.op), node, inputs)
        free = [name for name in parameters if name not in named and name not in attributes]
        for old in [name for name in named if name not in parameters]:
            named[free.pop(0)] = named.pop(old)  # TensorFlow's Python calls some arguments otherwise
        known = all(hasattr(value, "numpy") for value in inputs)

        def make() -> Any:
            return operator(**named, **attributes)

        made = _eager(self.tf, make) if known else make()
        if isinstance(made, list | tuple):
            return [one for part in made for one in (part if isinstance(part, list) else [part])]
        return [made]


def _place(text: str) -> tuple[str, int]:
    name, _, index = text.partition(":")
    return name, int(index or 0)


def _eager(tf: Any, make: Callable[[], Any]) -> Any:
    with tf.init_scope():
        return make()


def _number(value: Any, node: Any) -> Any:
    if not hasattr(value, "numpy"):
        raise UnsupportedError(f"the model's inputs decide how often the loop '{node.name}' turns", _SHORTER)
    return np.asarray(value.numpy()).reshape(-1)[0]


def _arguments(definition: Any, node: Any, inputs: list[Any]) -> dict[str, Any]:
    """The inputs by the names of the operator's arguments, of which some take several."""
    named, rest = dict[str, Any](), list(inputs)
    for argument in definition.input_arg:
        if argument.number_attr or argument.type_list_attr:
            attribute = node.attr[argument.number_attr or argument.type_list_attr]
            count = attribute.i if argument.number_attr else len(attribute.list.type)
            named[argument.name], rest = rest[:count], rest[count:]
        else:
            named[argument.name], rest = rest[0], rest[1:]
    return named


def _attribute(tf: Any, value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "type":
        return tf.as_dtype(value.type)
    if kind == "shape":
        return tf.TensorShape(value.shape)
    if kind == "s":
        return value.s.decode()
    if kind == "list":
        listed = value.list
        if listed.type:
            return [tf.as_dtype(one) for one in listed.type]
        return [*listed.i, *listed.f, *(one.decode() for one in listed.s), *listed.b]
    return getattr(value, kind)
