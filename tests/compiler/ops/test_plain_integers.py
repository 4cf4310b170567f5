# SPDX-License-Identifier: Apache-2.0
"""Operators that only move, compare or average values take integers without a scale, as TFLM does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.compiler.ops.movement import test_pad, test_space_to_batch_nd
from tests.compiler.ops.reduction import test_pool_2d, test_reduce
from tests.support.differential import Case, check
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError

CASES = 40  # of kernels that the operators' own tests have a hundred of
GENERATORS: dict[str, Callable[[int, str, str], Case]] = {
    **dict.fromkeys(("PAD", "PADV2"), test_pad.random_case),
    **dict.fromkeys(("REDUCE_MAX", "REDUCE_MIN"), test_reduce.random_case),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), test_pool_2d.random_case),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), test_space_to_batch_nd.random_case),
}


def plain_case(index: int, op: str, dtype: str, *, activation: int = 0) -> Case:
    """A case of the operator's own test without scales and with this fused activation."""
    case = GENERATORS[op](index, op, dtype)
    model = schema.ModelT.InitFromPackedBuf(case.model, 0)
    (graph,) = model.subgraphs
    for tensor in graph.tensors:
        tensor.quantization = None
    options = graph.operators[0].builtinOptions
    if hasattr(options, "fusedActivationFunction"):
        options.fusedActivationFunction = activation
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return Case(f"{case.label} without scales", bytes(builder.Output()), case.samples)


@pytest.mark.parametrize("op", sorted(GENERATORS))
def test_plain_int8_equals_tflm(op: str, tmp_path: Path) -> None:
    check([plain_case(index, op, "int8") for index in range(CASES)], tmp_path, at_least=35)


@pytest.mark.parametrize("op", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_plain_int16_pools_equal_tflm(op: str, tmp_path: Path) -> None:
    check([plain_case(index, op, "int16") for index in range(CASES)], tmp_path, at_least=35)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_a_fused_activation_needs_a_scale(dtype: str) -> None:
    relu = plain_case(0, "MAX_POOL_2D", dtype, activation=schema.ActivationFunctionType.RELU)
    with pytest.raises(ModelError, match="has no scale"):
        load(relu.model)
