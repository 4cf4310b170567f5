# SPDX-License-Identifier: Apache-2.0
"""What TFLM takes as a value of run time compiles, too, and so do constants in place of values of run time:
each of each differential case is tried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiler.emit.test_emit import STRICT, compiles
from tests.compiler.ops.test_declarations import cases_of, modules
from tests.support.differential import Case, run_tflm
from tests.support.merge import merge
from tests.support.run_time import at_run_time, without_inputs
from tinyserve.compiler.compile import compile_model, write
from tinyserve.compiler.graph import reader
from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes import load
from tinyserve.compiler.program import PORTABLE
from tinyserve.errors import TinyserveError

ENOUGH = 3  # cases for each operand and its types


def operands(case: Case) -> Iterator[tuple[str, int, DType, DType]]:
    """The constants of a case with a single operator: which inputs, with their and the output's types."""
    graphs = reader.read(case.model).graphs
    if len(graphs) == 1 and len(graphs[0].nodes) == 1:
        (operator,) = graphs[0].nodes
        for index, tensor in enumerate(operator.inputs):
            packed = tensor is not None and tensor.dtype is DType.INT4  # which no operator computes
            if tensor is not None and tensor.is_constant and not packed:
                yield operator.name, index, tensor.dtype, operator.outputs[0].dtype


def lowers(case: Case) -> bool:
    try:
        lower(load(case.model), PORTABLE, "case")
    except TinyserveError:
        return False
    return True


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return [case for module in modules() for case in cases_of(module, monkeypatch)]


def test_operands_that_tflm_takes_at_run_time_compile(cases: list[Case]) -> None:
    tried: dict[tuple[str, int, DType, DType], int] = defaultdict(int)
    refused: dict[tuple[str, int], str] = {}
    for case in cases:
        for operand in operands(case):
            tried[operand] += 1
            if tried[operand] <= ENOUGH:
                given = at_run_time(case, [operand[1]])
                if not lowers(given) and not isinstance(run_tflm([given])[0], str):
                    refused[operand[:2]] = given.label
    assert len(tried) > 100
    assert not refused


def test_constants_in_place_of_values_of_run_time_compile_without_a_warning(
    cases: list[Case], tmp_path: Path
) -> None:
    chosen: dict[tuple[object, ...], bytes] = {}
    for case in cases:
        graphs = reader.read(case.model).graphs
        if len(graphs) == 1 and len(graphs[0].nodes) == 1:
            (operator,) = graphs[0].nodes
            types = [tensor.dtype for tensor in (*operator.operands(), *operator.outputs)]
            chosen.setdefault((operator.name, *types), without_inputs(case))
    compiled = compile_model(merge([*chosen.values()]))
    assert len(compiled.program.calls) > 200  # the others are folded
    write(compiled, tmp_path)
    compiles("gcc", [*STRICT, "-fsyntax-only", *compiled.sources.compile], tmp_path)
