# SPDX-License-Identifier: Apache-2.0
"""Runs the passes over a model until none of them finds anything to do."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

from tinyserve.compiler.graph.types import Graph, Model, Node, Tensor
from tinyserve.compiler.passes import (
    activations,
    common_subexpressions,
    constant_folding,
    constant_variables,
    dead_channels,
    dead_code,
    lookup_tables,
    no_ops,
    padding,
    quantize_pairs,
    reshapes,
)
from tinyserve.compiler.passes.channels.state import channel_count
from tinyserve.compiler.passes.edit import all_nodes
from tinyserve.compiler.passes.report import PassReport, PassResult
from tinyserve.compiler.passes.work.macs import macs, open_loops
from tinyserve.words import counted

_PASSES = (
    constant_folding,
    constant_variables,
    no_ops,
    quantize_pairs,
    lookup_tables,
    reshapes,
    padding,
    activations,
    common_subexpressions,
    dead_channels,
    dead_code,
)
_MAX_ROUNDS = 20


@dataclass
class _Tally:
    """What one pass did over all rounds."""

    name: str
    run: Callable[[Graph, Model], int]
    macs_before: int = -1
    macs_after: int = -1
    changes: int = 0
    removed: list[str] = field(default_factory=list)


def optimize(model: Model, without: Container[str] = ()) -> PassReport:
    """Rewrites ``model`` in place. Every pass is exact: outputs keep their bytes. ``without``: names of
    passes to leave out."""
    macs_before, operators_before = macs(model), len(all_nodes(model)) + len(model.folded)
    tallies = [_Tally(module.NAME, module.run) for module in _PASSES if module.NAME not in without]
    for tally in tallies:
        if tally.name == constant_folding.NAME:  # loading may have done some of it
            tally.removed, tally.changes = list(model.folded), len(model.folded)
    for _ in range(_MAX_ROUNDS):
        changes = [_apply(tally, model) for tally in tallies]
        if not any(changes):
            break
    return PassReport(
        passes=tuple(
            PassResult(tally.name, tally.changes, tally.macs_before, tally.macs_after, tuple(tally.removed))
            for tally in tallies
        ),
        macs_before=macs_before,
        macs_after=macs(model),
        operators_before=operators_before,
        operators_after=len(all_nodes(model)),
        open_loops=open_loops(model),
    )


def _apply(tally: _Tally, model: Model) -> int:
    before = _snapshot(model)
    cost = macs(model)
    changes = sum(tally.run(graph, model) for graph in model.graphs)
    if tally.macs_before < 0:
        tally.macs_before = cost
    if changes or tally.macs_after < 0:
        tally.macs_after = macs(model)
    tally.changes += changes
    if changes:
        tally.removed += _gone(before, model) or _rewritten(before, model)
    return changes


@dataclass(frozen=True)
class _Before:
    """An operator as it was: the channels of its output, and what it read."""

    node: Node
    channels: int
    inputs: tuple[Tensor | None, ...]


def _snapshot(model: Model) -> list[_Before]:
    return [
        _Before(node, channel_count(node.output) if node.outputs else 0, tuple(node.inputs))
        for node in all_nodes(model)
    ]


def _gone(before: list[_Before], model: Model) -> list[str]:
    """What a pass took away: whole operators, and channels of those that stayed."""
    left = {id(node) for node in all_nodes(model)}
    lines = []
    for was in before:
        node = was.node
        if id(node) not in left:
            lines.append(node.location)
        elif node.outputs and channel_count(node.output) < was.channels:
            removed = was.channels - channel_count(node.output)
            lines.append(f"{node.location}: {removed} of {counted(was.channels, 'channel')}")
    return lines


def _rewritten(before: list[_Before], model: Model) -> list[str]:
    """The operators that read something else than before, where a pass took none away."""
    return [
        f"{was.node.location}: rewritten"
        for was in before
        if any(now is not then for now, then in zip(was.node.inputs, was.inputs, strict=False))
    ]
