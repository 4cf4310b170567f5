# SPDX-License-Identifier: Apache-2.0
"""TRANSPOSE_CONV against TFLM."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.compiler.ops.generate import ACTIVATIONS, Random, case
from tests.compiler.ops.linear.test_conv_2d import weights_of
from tests.support.differential import Case, Tolerance, check, run_tflm
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.run_time import at_run_time, computed_weights, outputs_of
from tinyserve.compiler.graph import reader

CASES = 135


def random_case(index: int, dtype: str, bias_dtype: str = "", weights_dtype: str = "int8") -> Case:
    r = Random(index, 47)
    batches, channels, depth = r.choice((1, 1, 2)), r.integer(1, 5), r.integer(1, 5)
    height, width = r.integer(1, 5), r.integer(1, 5)
    stride, taps = (r.integer(1, 3), r.integer(1, 3)), (r.integer(1, 4), r.integer(1, 4))
    padding = r.choice(("SAME", "VALID"))
    if padding == "SAME":
        size = [height * stride[0], width * stride[1]]
    else:
        size = [(height - 1) * stride[0] + taps[0], (width - 1) * stride[1] + taps[1]]

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        q = r.quantization(dtype)
        x = graph.input((batches, height, width, depth), dtype, **q)
        weights, bias, scale = weights_of(
            r,
            graph,
            (channels, *taps, depth),
            axis=0,
            dtype=dtype,
            input_scale=q.get("scale", 0.0),
            bias_dtype=bias_dtype,
            weights_dtype=weights_dtype,
        )
        out = {} if dtype == "float32" else {"scale": scale, "zero_point": r.zero_point(dtype)}
        y = graph.tensor((batches, *size, channels), dtype, **out)
        shape = graph.constant(np.array((batches, *size, channels), np.int32))
        operands = [shape, weights, x] + ([bias] if bias is not None else [])
        graph.op(
            "TRANSPOSE_CONV", operands, [y], padding=padding, stride_h=stride[0], stride_w=stride[1],
            activation=r.choice(ACTIVATIONS),
        )  # fmt: skip
        return [x], [y]

    return case(f"transpose conv {dtype} #{index}", r, build)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_integer_bytes_equal_tflm(dtype: str, tmp_path: Path) -> None:
    check([random_case(index, dtype) for index in range(CASES)], tmp_path, at_least=100)


def widened(case: Case) -> Case:
    """The case with int8 weights of the same values: TFLM has no int4 for this operator."""
    (operator,) = reader.read(case.model).main.nodes
    weights = operator.inputs[1]
    assert weights is not None and weights.data is not None
    model = schema.ModelT.InitFromPackedBuf(case.model, 0)
    tensor = model.subgraphs[0].tensors[weights.index]
    tensor.type = schema.TensorType.INT8
    model.buffers[tensor.buffer].data = np.frombuffer(weights.data.astype(np.int8).tobytes(), np.uint8)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return Case(case.label, bytes(builder.Output()), case.samples)


def test_int4_weights_give_the_bytes_of_the_same_ones_in_int8(tmp_path: Path) -> None:
    cases = [random_case(index, "int8", weights_dtype="int4") for index in range(CASES)]
    compared = 0
    for theirs, ours in zip(run_tflm([*map(widened, cases)]), outputs_of(cases, tmp_path), strict=True):
        if not isinstance(theirs, str):
            compared += 1
            for (expected,), got in zip(theirs, ours, strict=False):
                assert np.array_equal(expected.reshape(-1), got.reshape(-1))
    assert compared >= 100


def test_int16_with_a_bias_of_int16_equals_tflm(tmp_path: Path) -> None:
    check([random_case(index, "int16", "int16") for index in range(CASES)], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-5, 1e-5))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_computed_weights_give_tflms_bytes(dtype: str, tmp_path: Path) -> None:
    cases = [computed_weights(random_case(index, dtype), index, bias=3) for index in range(CASES)]
    check(cases, tmp_path, at_least=100)


def test_a_computed_bias_of_int16_gives_tflms_bytes(tmp_path: Path) -> None:
    r = Random(48)
    cases = [random_case(index, "int16", "int16") for index in range(CASES)]
    given = [at_run_time(made, [3], lambda _, bias: r.values(bias.shape, "int16")) for made in cases]
    check(given, tmp_path, at_least=80)


def test_computed_float_weights_are_close_to_tflm(tmp_path: Path) -> None:
    cases = [computed_weights(random_case(index, "float32"), index, bias=3) for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-4, 1e-5))
