# SPDX-License-Identifier: Apache-2.0
"""SignalRfft and SignalIrfft against TFLM."""

from __future__ import annotations

from pathlib import Path

import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 105
TYPE_CODE = {"float32": 0, "int16": 7, "int32": 2}


def random_case(index: int, op: str, dtype: str) -> Case:
    r = Random(index, 95, len(op))
    length = 2 ** r.integer(2, 9)
    rows = r.choice(((), (), (2,), (2, 3)))
    frequencies = 2 * (length // 2 + 1)
    options = bytes(flexbuffers.Dumps({"T": TYPE_CODE[dtype], "fft_length": length}))

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        given = r.choice((length, r.integer(1, length))) if op == "SignalRfft" else frequencies
        x = graph.input((*rows, given), dtype)
        y = graph.tensor((*rows, frequencies if op == "SignalRfft" else length), dtype)
        graph.op(op, [x], [y], custom_options=options)
        return [x], [y]

    return case(f"{op} {dtype} {length} #{index}", r, build)


@pytest.mark.parametrize("op", ["SignalRfft", "SignalIrfft"])
@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_integer_bytes_equal_tflm(op: str, dtype: str, tmp_path: Path) -> None:
    check([random_case(index, op, dtype) for index in range(CASES)], tmp_path, at_least=100)


@pytest.mark.parametrize("op", ["SignalRfft", "SignalIrfft"])
def test_float_is_close_to_tflm(op: str, tmp_path: Path) -> None:
    cases = [random_case(index, op, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(2e-4, 1e-5))
