"""Runs the passes over a model until none of them finds anything to do."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

from tinyserve.graph.types import Graph, Model, Operator
from tinyserve.passes import (
    activations,
    common_subexpressions,
    constant_folding,
    constant_variables,
    dead_channels,
    dead_code,
    no_ops,
    padding,
    quantize_pairs,
    reshapes,
)
from tinyserve.passes.channels.state import channel_count
from tinyserve.passes.edit import all_operators
from tinyserve.passes.load import macs
from tinyserve.passes.report import PassReport, PassResult

_PASSES = (
    constant_folding,
    constant_variables,
    no_ops,
    quantize_pairs,
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
    macs_before, operators_before = macs(model), len(all_operators(model)) + len(model.folded)
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
        operators_after=len(all_operators(model)),
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
    tally.removed += _gone(before, model)
    return changes


def _snapshot(model: Model) -> list[tuple[Operator, int]]:
    """Every operator with the channels of its output."""
    return [(op, channel_count(op.outputs[0]) if op.outputs else 0) for op in all_operators(model)]


def _gone(before: list[tuple[Operator, int]], model: Model) -> list[str]:
    """What a pass took away: whole operators, and channels of those that stayed."""
    left = {id(operator) for operator in all_operators(model)}
    lines = []
    for operator, channels in before:
        if id(operator) not in left:
            lines.append(operator.location)
        elif operator.outputs and channel_count(operator.outputs[0]) < channels:
            removed = channels - channel_count(operator.outputs[0])
            lines.append(f"{operator.location}: {removed} of {channels} channels")
    return lines
