# SPDX-License-Identifier: Apache-2.0
"""Graphs inside a model that are known to run: an If whose condition no input changes, a Loop whose count of
turns none does. They become nodes of the graph around them."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import.naming import describe, opset
from tinyserve.errors import UnsupportedError

Array = npt.NDArray[Any]
_MOST_TURNS = 1024
_MOST_NODES = 20_000
_HINT = "export the model with its loop unrolled, or its recurrent layers as LSTM, GRU or RNN"


def inline(model: Any, known: Mapping[str, Array]) -> bool:
    """Puts the graphs of such nodes in their place; ``known`` are values that no input changes. Whether
    there were any. Raises UnsupportedError for a loop that is too long."""
    nodes, found = list[Any](), False
    for node in model.graph.node:
        made = _turns(model, node, known) if node.op_type == "Loop" else _branch(model, node, known)
        found = found or made is not None
        nodes.extend([node] if made is None else made)
        if len(nodes) > _MOST_NODES:
            raise UnsupportedError(f"{describe(node)} gives over {_MOST_NODES:,} nodes", _HINT)
    if found:
        kept = [copy.deepcopy(node) for node in nodes]
        del model.graph.node[:]
        model.graph.node.extend(kept)
    return found


def without_loops(model: Any) -> Any:
    """A copy without loops and what comes behind them: running it ends."""
    made = copy.deepcopy(model)
    del made.graph.node[:], made.graph.output[:]
    gone: set[str] = set()
    for node in model.graph.node:
        if _loops(node) or not gone.isdisjoint([*node.input, *captured(node)]):
            gone.update(node.output)
        else:
            made.graph.node.append(node)
    return made


def _loops(node: Any) -> bool:
    return node.op_type in ("Loop", "Scan") or any(_loops(n) for g in _graphs(node) for n in g.node)


def captured(node: Any) -> set[str]:
    """Values from around it that the node's own graphs read."""
    return set().union(*(_read(graph) for graph in _graphs(node)))


def _graphs(node: Any) -> list[Any]:
    single = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return single + [graph for attribute in node.attribute for graph in attribute.graphs]


def _read(graph: Any) -> set[str]:
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    return read.union(*(captured(node) for node in graph.node)) - _own(graph) - {""}


def _own(graph: Any) -> set[str]:
    """The names of what the graph is given, holds and makes."""
    given = {value.name for value in (*graph.input, *graph.initializer)}
    return given | {name for node in graph.node for name in node.output}


def _branch(model: Any, node: Any, known: Mapping[str, Array]) -> list[Any] | None:
    if node.op_type != "If" or node.input[0] not in known:
        return None
    wanted = "then_branch" if bool(np.asarray(known[node.input[0]]).reshape(-1)[0]) else "else_branch"
    graph = next(attribute.g for attribute in node.attribute if attribute.name == wanted)
    made, results = _placed(model, graph, {}, f"{node.name or node.output[0]}/")
    return [*made, *_named(results, node.output, node.name)]


def _turns(model: Any, node: Any, known: Mapping[str, Array]) -> list[Any] | None:
    """The turns of a Loop one after the other."""
    body = next(attribute.g for attribute in node.attribute if attribute.name == "body")
    count, going = node.input[0], node.input[1]
    always = not going or (going in known and bool(np.asarray(known[going]).reshape(-1)[0]))
    if count not in known or not always or not _goes_on(body):
        return None
    turns = int(np.asarray(known[count]).reshape(-1)[0])
    if not 0 < turns <= _MOST_TURNS:
        raise UnsupportedError(f"{describe(node)} has {turns:,} turns, of 1 to {_MOST_TURNS:,}", _HINT)
    carried, nodes = list(node.input[2:]), list[Any]()
    gathered: list[list[str]] = []
    for turn in range(turns):
        prefix = f"{node.name or node.output[0]}/{turn}/"
        start = [
            _constant(model, f"{prefix}number of turn", np.int64(turn)),
            _constant(model, f"{prefix}goes on", np.True_),
        ]
        given = dict(zip([value.name for value in body.input], [*start, *carried], strict=True))
        made, results = _placed(model, body, given, prefix)
        nodes += made
        carried = results[1 : 1 + len(carried)]
        gathered.append(results[1 + len(carried) :])
    stacked = [_stacked(model, node, list(column)) for column in zip(*gathered, strict=True)]
    nodes += [one for pair in stacked for one in pair[0]]
    return [*nodes, *_named([*carried, *(name for _, name in stacked)], node.output, node.name)]


def _goes_on(body: Any) -> bool:
    """Whether the body's own condition is always true: the one that it is given, or a constant."""
    makers = {name: node for node in body.node for name in node.output}
    constants = {tensor.name: tensor for tensor in body.initializer}
    name = body.output[0].name
    while name in makers and makers[name].op_type in ("Identity", "Cast"):
        name = makers[name].input[0]
    if name in makers and makers[name].op_type == "Constant":
        constants[name] = next(a.t for a in makers[name].attribute if a.name == "value")
    if name in constants:
        return bool(importlib.import_module("onnx").numpy_helper.to_array(constants[name]).all())
    return bool(name == body.input[1].name)


def _placed(model: Any, graph: Any, given: Mapping[str, str], prefix: str) -> tuple[list[Any], list[str]]:
    """A copy of the graph's nodes whose own values have names of their own, and what its outputs are called;
    its constants go into the model."""
    names = dict(given)
    for tensor in graph.initializer:
        moved = model.graph.initializer.add()
        moved.CopyFrom(tensor)
        moved.name = names[tensor.name] = prefix + tensor.name
    for node in graph.node:
        names.update({name: prefix + name for name in node.output if name})
    made = []
    for node in graph.node:
        placed = copy.deepcopy(node)
        placed.output[:] = [names.get(name, name) for name in node.output]
        placed.name = prefix + node.name if node.name else ""
        _rename(placed, names)
        made.append(placed)
    return made, [names.get(value.name, value.name) for value in graph.output]


def _rename(node: Any, names: Mapping[str, str]) -> None:
    """What the node and its own graphs read from around them."""
    node.input[:] = [names.get(name, name) for name in node.input]
    for graph in _graphs(node):
        own = _own(graph)
        outer = {old: new for old, new in names.items() if old not in own}
        for inner in graph.node:
            _rename(inner, outer)
        for value in graph.output:
            value.name = outer.get(value.name, value.name)


def _named(results: Sequence[str], names: Sequence[str], about: str) -> list[Any]:
    onnx = importlib.import_module("onnx")
    pairs = zip(results, names, strict=False)
    return [onnx.helper.make_node("Identity", [a], [b], name=about) for a, b in pairs if b]


def _constant(model: Any, name: str, value: Any) -> str:
    onnx = importlib.import_module("onnx")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    return name


def _stacked(model: Any, node: Any, parts: list[str]) -> tuple[list[Any], str]:
    """The nodes that join what each turn gives along a new first axis, and the result's name."""
    onnx = importlib.import_module("onnx")
    first = f"{parts[0]}/rows"
    made, rows = [], [f"{part}/row" for part in parts]
    axes = _constant(model, f"{first}/axes", np.array([0], np.int64)) if opset(model) >= 13 else ""
    for part, row in zip(parts, rows, strict=True):
        how = {} if axes else {"axes": [0]}
        given = [part, axes] if axes else [part]
        made.append(onnx.helper.make_node("Unsqueeze", given, [row], name=node.name, **how))
    made.append(onnx.helper.make_node("Concat", rows, [first], name=node.name, axis=0))
    return made, first
