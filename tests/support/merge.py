# SPDX-License-Identifier: Apache-2.0
"""Joins one-graph models into one model, side by side: many operators for the price of one firmware."""

from __future__ import annotations

from collections.abc import Sequence

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def merge(models: Sequence[bytes]) -> bytes:
    """One graph with all inputs and all outputs, in the models' order. Names get the model's number."""
    joined = schema.ModelT()
    joined.version, joined.buffers, joined.operatorCodes = 3, [schema.BufferT()], []
    graph = schema.SubGraphT()
    graph.name, graph.tensors, graph.operators, graph.inputs, graph.outputs = b"main", [], [], [], []
    joined.subgraphs = [graph]
    for number, data in enumerate(models):
        _append(joined, graph, schema.ModelT.InitFromPackedBuf(data, 0), number)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(joined.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _append(joined: schema.ModelT, graph: schema.SubGraphT, model: schema.ModelT, number: int) -> None:
    (source,) = model.subgraphs
    first_buffer, first_code, first_tensor = (
        len(joined.buffers),
        len(joined.operatorCodes),
        len(graph.tensors),
    )
    joined.buffers += model.buffers
    joined.operatorCodes += model.operatorCodes
    for tensor in source.tensors:
        tensor.buffer += first_buffer
        tensor.name = f"case{number}_".encode() + (tensor.name or b"")
        graph.tensors.append(tensor)
    for operator in source.operators:
        operator.opcodeIndex += first_code
        operator.inputs = _moved(operator.inputs, first_tensor)
        operator.outputs = _moved(operator.outputs, first_tensor)
        operator.intermediates = _moved(operator.intermediates, first_tensor)
        graph.operators.append(operator)
    graph.inputs += _moved(source.inputs, first_tensor)
    graph.outputs += _moved(source.outputs, first_tensor)


def _moved(indices: Sequence[int] | None, first: int) -> list[int]:
    """Indices into the joined list; -1 stands for an input that is left out."""
    return [] if indices is None else [int(i) + first if i >= 0 else -1 for i in indices]
