# SPDX-License-Identifier: Apache-2.0
"""Random graphs of all kinds of operators: optimized, planned and compiled, they give TFLM's bytes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.control import test_control_flow
from tests.compiler.ops.recurrent import test_svdf
from tests.compiler.ops.recurrent import test_unidirectional_sequence_lstm as lstm
from tests.support import differential
from tests.support.differential import Case, run_tflm
from tests.support.graphs.random_graph import LAYERS, random_graph
from tests.support.merge import merge
from tinyserve.compiler import ops, passes
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.graph.types import Model
from tinyserve.compiler.host.model import HostModel

GRAPHS = 70
MERGED = 24


def optimized(model: Model) -> None:
    """Every operator that the passes leave passes its own check, and a second run finds nothing to do."""
    report = passes.optimize(model)
    for op in model.main.nodes:
        ops.registry()[op.name].check(op)
    assert report.macs_after == passes.macs(model) <= report.macs_before
    assert passes.optimize(model).changes == 0


def test_optimized_graphs_give_tflm_s_bytes(tmp_path: Path) -> None:
    cases = [random_graph(seed).case for seed in range(GRAPHS)]
    differential.check(cases, tmp_path, at_least=GRAPHS - 2, prepare=optimized)


def test_optimized_subgraphs_and_state_give_tflm_s_bytes(tmp_path: Path) -> None:
    cases: list[Case] = []
    for index in range(6):
        cases += [test_control_flow.branch(index, "int8"), test_control_flow.loop(index, "int32")]
        cases += [test_control_flow.running_sum(index, "int8", once) for once in (False, True)]
        cases += [test_svdf.random_case(index, "int8"), lstm.random_case(index, "int8")]
    differential.check(cases, tmp_path, at_least=len(cases) - 1, prepare=passes.optimize)


def test_graphs_share_an_arena_and_give_tflm_s_bytes() -> None:
    """Planned together and emitted as for a device; each value lies where the planner has put it."""
    cases = [random_graph(seed).case for seed in range(1000, 1000 + MERGED)]
    ran = [
        (case, given)
        for case, given in zip(cases, run_tflm(cases), strict=True)
        if not isinstance(given, str)
    ]
    assert len(ran) >= MERGED - 2
    host = HostModel(compile_model(merge([case.model for case, _ in ran])), sanitize=True)
    for sample in range(2):
        outputs = host.run([array for case, _ in ran for array in case.samples[sample]])
        wanted = [(case.label, array) for case, given in ran for array in given[sample]]
        for (label, expected), got in zip(wanted, outputs, strict=True):
            assert np.array_equal(expected, got, equal_nan=expected.dtype.kind == "f"), label


def test_the_graphs_are_made_of_many_operators_types_inputs_and_outputs() -> None:
    graphs = [random_graph(seed) for seed in range(GRAPHS)]
    drawn: Counter[str] = sum((graph.operators for graph in graphs), Counter())
    assert len(drawn) >= 60 and len(LAYERS) > 70
    models = [passes.load(graph.case.model).main for graph in graphs]
    assert sum(len(graph.inputs) > 1 for graph in models) > 20
    assert sum(len(graph.outputs) > 1 for graph in models) > 20
    assert len({tensor.dtype for graph in models for tensor in graph.tensors}) >= 5
    sizes = {len(graph.nodes) for graph in models}
    assert min(sizes) <= 3 and max(sizes) >= 11


@pytest.mark.slow
@pytest.mark.parametrize("block", range(2))
def test_many_optimized_graphs_give_tflm_s_bytes(tmp_path: Path, block: int) -> None:
    cases = [random_graph(seed).case for seed in range(2000 + 70 * block, 2070 + 70 * block)]
    differential.check(cases, tmp_path, at_least=68, prepare=optimized)
