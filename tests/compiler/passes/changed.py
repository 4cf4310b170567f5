# SPDX-License-Identifier: Apache-2.0
"""Random graphs in which a pass finds something to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.compiler.passes.nets import applying
from tests.support import differential
from tests.support.differential import Case
from tests.support.graphs.random_graph import random_graph
from tinyserve.compiler.graph.types import Graph, Model
from tinyserve.compiler.passes.load import load

GRAPHS = 8
MOST_DRAWN = 3000


def check_random_graphs(run: Callable[[Graph, Model], int], directory: Path) -> None:
    """Asserts that eight random graphs which the pass alone changes keep TFLM's bytes."""
    cases: list[Case] = []
    for seed in range(5000, 5000 + MOST_DRAWN):
        case = random_graph(seed).case
        model = load(case.model)
        if run(model.main, model):
            cases.append(case)
        if len(cases) == GRAPHS:
            break
    assert len(cases) == GRAPHS, (
        f"the pass changes {len(cases)} of {MOST_DRAWN} random graphs, wanted {GRAPHS}: "
        "teach tests/support/graphs/ its pattern"
    )
    prepare, changes = applying(run)
    differential.check(cases, directory, at_least=GRAPHS - 1, prepare=prepare)
    assert all(changes)
