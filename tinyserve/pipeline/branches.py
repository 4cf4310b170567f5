# SPDX-License-Identifier: Apache-2.0
"""What runs on a condition: a branch of an IF, beside one that gives nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.pipeline.values import PREFIX, Desk, Value

Work = Callable[[Desk, dict[int, int]], list[int]]
"""Writes a branch: on a desk in its graph, with the tensors there by those of the main graph that they stand
for, and returns the tensors of its results."""


def run_if(
    writer: GraphWriter, flag: int, name: str, given: Sequence[Value], results: Sequence[Value], *, work: Work
) -> list[Value]:
    """``work`` where the flag is set. ``given``: values of the main graph that it takes. ``results``: what it
    gives, without tensors yet; returns them with those that they have in the main graph."""
    taken = {value.tensor: value for value in given}
    branch = _graph(writer, name, taken, work)
    other = _graph(writer, f"{name}_not_run", taken, lambda desk, _: [desk.nothing(one) for one in results])
    desk = Desk(writer, name)
    made = [desk.tensor(value.kind, "run") for value in results]
    writer.builtin("IF", "IfOptions", [flag, *taken], made, thenSubgraphIndex=branch, elseSubgraphIndex=other)
    return [replace(value, tensor=tensor) for value, tensor in zip(results, made, strict=True)]


def _graph(writer: GraphWriter, name: str, taken: dict[int, Value], work: Work) -> int:
    number, inner = writer.subgraph(name)
    entered: dict[int, int] = {}
    for tensor, value in taken.items():
        place, kind = f"{PREFIX}{name}/given_{len(entered)}", value.kind
        entered[tensor] = inner.tensor(place, kind.shape, kind.dtype, kind.quantization)
    inner.finish(list(entered.values()), work(Desk(inner, name), entered))
    return number
