# SPDX-License-Identifier: Apache-2.0
"""State that lives across inferences, as inputs and outputs for quantizers, and back. Worker process only.

No quantizer calibrates variables. ``lifted`` makes of each an input that has its value before an inference
and an output that has its value behind it; ``lowered`` makes variables of them again, which then hold
integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import objects, reader
from tinyserve.compiler.graph.types import Graph, Model
from tinyserve.errors import UnsupportedError

Array = npt.NDArray[Any]
_OPERATORS = frozenset({"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})


@dataclass(frozen=True)
class Variable:
    """``initial``: its value before the first inference, of its own shape, in real units."""

    container: str
    name: str
    initial: Array


def has_state(model: Model) -> bool:
    """Whether the model reads or assigns variables."""
    return any(op.name in _OPERATORS for op in model.main.nodes)


def lifted(data: bytes) -> tuple[bytes, list[Variable]]:
    """The model without variables: behind its own inputs and outputs it has one of each per variable.

    Raises UnsupportedError where variables are touched in subgraphs of control flow.
    """
    read, model = reader.read(data), objects.unpack(data)
    _check(read)
    graph, names = model.subgraphs[0], _handles(read.main)
    initial = _initial_values(read)
    current: dict[tuple[str, str], int] = {}
    inputs: dict[tuple[str, str], int] = {}
    values: dict[int, int] = {}  # what stands for a tensor that a READ_VARIABLE wrote
    kept = []
    for operator, known in zip(graph.operators, read.main.nodes, strict=True):
        operator.inputs = [values.get(int(i), int(i)) for i in operator.inputs]
        if known.name == "READ_VARIABLE":
            key, output = names[int(operator.inputs[0])], int(operator.outputs[0])
            if key not in current:
                current[key] = inputs[key] = output
            values[output] = current[key]
        elif known.name == "ASSIGN_VARIABLE":
            key, value = names[int(operator.inputs[0])], int(operator.inputs[1])
            current[key] = value
        elif known.name not in _OPERATORS:
            kept.append(operator)
    graph.operators = kept
    # A variable that is assigned and never read has no effect on anything.
    keys = list(inputs)
    graph.inputs = [*map(int, graph.inputs), *(inputs[key] for key in keys)]
    graph.outputs = [*(values.get(int(i), int(i)) for i in graph.outputs), *(current[key] for key in keys)]
    model.signatureDefs, model.subgraphs = None, [graph]
    _drop(model, graph)
    shapes = {key: read.main.tensors[inputs[key]] for key in keys}
    found = [
        Variable(*key, initial.get(key, np.zeros(shapes[key].shape, shapes[key].dtype.numpy))) for key in keys
    ]
    return objects.pack(model), found


def lowered(data: bytes, variables: Sequence[Variable]) -> bytes:
    """The model with its last inputs and outputs as the variables that ``lifted`` found, in its own types."""
    read, model = reader.read(data), objects.unpack(data)
    count = len(variables)
    writer = _Writer(model)
    graph = model.subgraphs[0]
    before, behind = list(map(int, graph.inputs))[-count:], list(map(int, graph.outputs))[-count:]
    graph.inputs, graph.outputs = list(graph.inputs)[:-count], list(graph.outputs)[:-count]
    first: list[Any] = []
    last: list[Any] = []
    setting = writer.subgraph("initial state")
    for variable, source, target in zip(variables, before, behind, strict=True):
        handle = writer.handle(graph, first, variable)
        first.append(writer.operator("READ_VARIABLE", [handle], [source], "ReadVariableOptions"))
        value = target
        if not _alike(graph.tensors[source], graph.tensors[target]):
            value = writer.requantized(graph, last, source, target)
        last.append(writer.operator("ASSIGN_VARIABLE", [handle, value], [], "AssignVariableOptions"))
        initial = writer.constant(setting, graph.tensors[source], _typed(variable.initial, read.main, source))
        own = writer.handle(setting, setting.operators, variable)
        setting.operators.append(
            writer.operator("ASSIGN_VARIABLE", [own, initial], [], "AssignVariableOptions")
        )
    call = writer.operator("CALL_ONCE", [], [], "CallOnceOptions")
    call.builtinOptions.initSubgraphIndex = len(model.subgraphs)
    graph.operators = [call, *first, *graph.operators, *last]
    model.subgraphs.append(setting)
    return objects.pack(model)


def _check(model: Model) -> None:
    called = {
        int(op.options.int32("init_subgraph_index")) for op in model.main.nodes if op.name == "CALL_ONCE"
    }
    if len(model.graphs) > 1 + len(called):
        raise UnsupportedError(
            "the model keeps state beside control flow (WHILE, IF), which can't be quantized",
            "--quantize float32, or export it without loops and conditions",
        )


def _handles(graph: Graph) -> dict[int, tuple[str, str]]:
    """By a handle's tensor what its variable is called."""
    return {
        op.outputs[0].index: (op.options.string("container"), op.options.string("shared_name"))
        for op in graph.nodes
        if op.name == "VAR_HANDLE"
    }


def _initial_values(model: Model) -> dict[tuple[str, str], Array]:
    found: dict[tuple[str, str], Array] = {}
    for graph in model.graphs[1:]:
        names = _handles(graph)
        for op in graph.nodes:
            if op.name != "ASSIGN_VARIABLE":
                continue
            handle, value = (*op.inputs, None, None)[:2]
            if handle is not None and value is not None and value.data is not None:
                found[names[handle.index]] = np.array(value.data)
    return found


def _drop(model: Any, graph: Any) -> None:
    used = {int(i) for op in graph.operators for i in (*op.inputs, *op.outputs)}
    used |= {int(i) for i in (*graph.inputs, *graph.outputs)}
    objects.drop_tensors(model, graph, {i for i in range(len(graph.tensors)) if i not in used})
    objects.drop_unused(model)


def _alike(one: Any, other: Any) -> bool:
    """Whether two tensors have the same type and quantization."""

    def facts(tensor: Any) -> tuple[Any, ...]:
        stored = tensor.quantization
        empty = stored is None or stored.scale is None
        return (tensor.type, *(() if empty else (float(stored.scale[0]), int(stored.zeroPoint[0]))))

    return facts(one) == facts(other)


def _typed(value: Array, graph: Graph, index: int) -> Array:
    """Real values as a tensor's own type."""
    tensor = graph.tensors[index]
    if tensor.quantization is None:
        return value.astype(tensor.dtype.numpy)
    limits = np.iinfo(tensor.dtype.numpy)
    steps = np.round(value.astype(np.float64) / tensor.scale) + tensor.zero_point
    typed: Array = np.clip(steps, limits.min, limits.max).astype(tensor.dtype.numpy)
    return typed


class _Writer:
    """Adds to a ``ModelT``."""

    def __init__(self, model: Any) -> None:
        self._schema = objects.module()
        self._model = model

    def subgraph(self, name: str) -> Any:
        graph = self._schema.SubGraphT()
        graph.name, graph.tensors, graph.operators, graph.inputs, graph.outputs = name, [], [], [], []
        return graph

    def operator(self, name: str, inputs: list[int], outputs: list[int], options: str = "") -> Any:
        return objects.operator(self._model, name, inputs, outputs, options)

    def handle(self, graph: Any, operators: list[Any], variable: Variable) -> int:
        index = objects.tensor(graph, f"{variable.name}_handle", (), "resource")
        made = self.operator("VAR_HANDLE", [], [index], "VarHandleOptions")
        made.builtinOptions.container, made.builtinOptions.sharedName = variable.container, variable.name
        operators.append(made)
        return index

    def constant(self, graph: Any, like: Any, value: Array) -> int:
        """``value``, which is of the type and scale of ``like``."""
        name = f"{objects.text(like.name)}_initial"
        return objects.constant(self._model, graph, name, value, like.quantization)

    def requantized(self, graph: Any, operators: list[Any], like: int, value: int) -> int:
        """``value`` in the type and scale of ``like``."""
        tensor = graph.tensors[like]
        name, dtype = f"{objects.text(tensor.name)}_next", objects.dtype_of(tensor)
        index = objects.tensor(graph, name, tensor.shape, dtype, tensor.quantization)
        operators.append(self.operator("QUANTIZE", [value], [index]))
        return index
