# SPDX-License-Identifier: Apache-2.0
"""SVDF against TFLM, with the state carried from one inference to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import ACTIVATIONS, Array, Random, case
from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.run_time import at_run_time

CASES = 110


def random_case(index: int, state_type: str) -> Case:
    r = Random(index, 93)
    batches, inputs, memory = r.choice((1, 1, 2)), r.integer(1, 12), r.integer(1, 8)
    units, rank = r.integer(1, 5), r.choice((1, 1, 2, 3))
    filters = units * rank
    integer = state_type != "float32"
    io = "int8" if integer else "float32"

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((batches, inputs), io, **r.quantization(io, 0.01, 0.1))
        scales = [r.scale(0.005, 0.02), r.scale(0.005, 0.02) / (256 if state_type == "int16" else 1)]
        keep = r.scale(0.02, 0.2) / (256 if state_type == "int16" else 1)
        features = graph.constant(r.values((filters, inputs), io), scales[0] if integer else None)
        times = graph.constant(r.values((filters, memory), state_type), scales[1] if integer else None)
        bias_values = r.rng.integers(-5000, 5000, units) if integer else r.rng.normal(size=units)
        bias_type = "int32" if integer else "float32"
        bias = graph.constant(bias_values, scales[1] * keep if integer else None, dtype=bias_type)
        # Newer TFLM clamps after it adds a state's zero point, older TFLM before: 0 is what converters write.
        state_q: dict[str, Any] = {"scale": keep} if integer else {}
        state = graph.tensor((batches, filters * memory), state_type, variable=True, **state_q)
        y = graph.tensor((batches, units), io, **r.quantization(io, 0.01, 0.3))
        activation = "NONE" if integer else r.choice(ACTIVATIONS)
        graph.op("SVDF", [x, features, times, bias, state], [y], rank=rank, activation=activation)
        return [x], [y]

    made = case(f"svdf {state_type} {units}x{rank} memory {memory} #{index}", r, build)
    shapes = [array.shape for array in made.samples[0]]
    made.samples += [[r.values(shape, io) for shape in shapes] for _ in range(6)]
    return made


@pytest.mark.parametrize("state_type", ["int8", "int16"])
def test_integer_bytes_equal_tflm(state_type: str, tmp_path: Path) -> None:
    check([random_case(index, state_type) for index in range(CASES)], tmp_path, at_least=100)


def test_float_is_close_to_tflm(tmp_path: Path) -> None:
    cases = [random_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-4, 1e-5))


def computed_case(index: int, state_type: str) -> Case:
    """Weights, bias or all of them at run time, other ones in each inference."""
    r = Random(index, 95)

    def other(operand: int, value: Array) -> Array:
        drawn = r.values(value.shape, value.dtype.name)
        return drawn % 5000 if operand == 3 and value.dtype == np.int32 else drawn

    return at_run_time(random_case(index, state_type), ((1,), (2,), (3,), (1, 2, 3))[index % 4], other)


@pytest.mark.parametrize("state_type", ["int8", "int16"])
def test_computed_weights_give_tflms_bytes(state_type: str, tmp_path: Path) -> None:
    check([computed_case(index, state_type) for index in range(CASES)], tmp_path, at_least=100)


def test_computed_float_weights_are_close_to_tflm(tmp_path: Path) -> None:
    cases = [computed_case(index, "float32") for index in range(CASES)]
    check(cases, tmp_path, at_least=100, tolerance=Tolerance(1e-3, 1e-5))
