# SPDX-License-Identifier: Apache-2.0
"""Operators of one .tflite file into another that is being written. Needs the schema of such files, which
LiteRT brings."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from tinyserve.compiler.graph import objects
from tinyserve.compiler.graph.writer import GraphWriter

_SUBGRAPHS = (
    "thenSubgraphIndex", "elseSubgraphIndex", "condSubgraphIndex", "bodySubgraphIndex", "initSubgraphIndex",
)  # fmt: skip


class Transplant:
    """A file whose operators go into graphs of one other. ``renamed``: a tensor's name there by its name
    here; names of variables get ``scope`` in front, so that no two models share one."""

    def __init__(self, data: bytes, scope: str, renamed: Callable[[str], str]) -> None:
        self._model = objects.unpack(data)
        self._scope = scope
        self._renamed = renamed
        self._buffers: dict[int, int] = {}
        self._graphs: dict[int, int] = {}

    @property
    def main(self) -> Any:
        """The ``SubGraphT`` of the main graph."""
        return self._model.subgraphs[0]

    def put(
        self, writer: GraphWriter, operators: Iterable[int], places: dict[int, int], graph: int = 0
    ) -> None:
        """Copies operators, by their numbers in a graph, and all tensors of theirs that ``places`` does not
        have yet: tensors there by the number here."""
        source = self._model.subgraphs[graph]
        for number in operators:
            operator = copy.copy(source.operators[number])
            for field in ("inputs", "outputs", "intermediates"):
                setattr(operator, field, self._moved(writer, source, getattr(operator, field), places))
            operator.builtinOptions = self._options(writer, operator.builtinOptions)
            code = self._model.operatorCodes[int(operator.opcodeIndex)]
            writer.adopt_operator(operator, copy.copy(code))

    def place(self, writer: GraphWriter, index: int, places: dict[int, int]) -> int:
        """The number there of a tensor of the main graph here, which comes along where it is not there."""
        return self._place(writer, self.main, index, places)

    def _moved(self, writer: GraphWriter, source: Any, numbers: Any, places: dict[int, int]) -> list[int]:
        """The numbers there of a list of tensors here, which the file may leave out."""
        return [self._place(writer, source, int(i), places) for i in (() if numbers is None else numbers)]

    def _place(self, writer: GraphWriter, source: Any, index: int, places: dict[int, int]) -> int:
        if index < 0:
            return -1
        if index not in places:
            tensor = copy.copy(source.tensors[index])
            tensor.name = self._renamed(objects.text(tensor.name))
            tensor.buffer = self._buffer(writer, int(tensor.buffer))
            places[index] = writer.adopt_tensor(tensor)
        return places[index]

    def _buffer(self, writer: GraphWriter, number: int) -> int:
        buffer = self._model.buffers[number]
        if buffer.data is None or not len(buffer.data):
            return 0  # empty by convention
        if number not in self._buffers:
            self._buffers[number] = writer.adopt_buffer(buffer)
        return self._buffers[number]

    def _options(self, writer: GraphWriter, options: Any) -> Any:
        """With the graphs that they name, which come along, and variables that are this model's alone."""
        made = copy.copy(options)
        for field in _SUBGRAPHS:
            if hasattr(made, field):
                setattr(made, field, self._graph(writer, int(getattr(made, field))))
        if hasattr(made, "sharedName"):
            made.sharedName = f"{self._scope}/{objects.text(made.sharedName)}"
        return made

    def _graph(self, writer: GraphWriter, number: int) -> int:
        if number not in self._graphs:
            source = self._model.subgraphs[number]
            made, inner = writer.subgraph(f"{self._scope}_{objects.text(source.name or f'graph_{number}')}")
            self._graphs[number] = made
            places: dict[int, int] = {}
            self.put(inner, range(len(source.operators)), places, number)
            inner.finish(
                self._moved(inner, source, source.inputs, places),
                self._moved(inner, source, source.outputs, places),
            )
        return self._graphs[number]
