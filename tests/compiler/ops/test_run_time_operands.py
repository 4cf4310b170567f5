# SPDX-License-Identifier: Apache-2.0
"""What TFLM takes as a value of run time compiles, too: each constant of each differential case is tried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.compiler.ops.test_declarations import cases_of, modules
from tests.support.differential import Case, run_tflm
from tests.support.run_time import at_run_time
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


def compiles(case: Case) -> bool:
    try:
        lower(load(case.model), PORTABLE, "case")
    except TinyserveError:
        return False
    return True


def test_operands_that_tflm_takes_at_run_time_compile() -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        cases = [case for module in modules() for case in cases_of(module, monkeypatch)]
    tried: dict[tuple[str, int, DType, DType], int] = defaultdict(int)
    refused: dict[tuple[str, int], str] = {}
    for case in cases:
        for operand in operands(case):
            tried[operand] += 1
            if tried[operand] <= ENOUGH:
                given = at_run_time(case, [operand[1]])
                if not compiles(given) and not isinstance(run_tflm([given])[0], str):
                    refused[operand[:2]] = given.label
    assert len(tried) > 100
    assert not refused
