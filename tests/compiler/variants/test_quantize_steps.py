# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE by comparisons against the portable kernel's division, on a core that has one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.compiler.ops.generate import Random, case
from tests.support import core_cases
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Target
from tinyserve.compiler.variants.steps_f32 import float_of, quantized, step_keys

THUMB1 = frozenset({"thumb1"})
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38, 1.2e-38)


def at_the_steps(scale: float, zero_point: int) -> npt.NDArray[np.float32]:
    """The floats at each step and their neighbours below and above."""
    keys = step_keys(scale, zero_point)
    return float_of((keys[:, None] + np.arange(-1, 2)).reshape(-1))


def quantize_case(seed: int) -> Case:
    r = Random(seed, 186)
    scale, zero_point = float(np.float32(r.scale(1e-6, 100.0))), r.zero_point()
    steps = at_the_steps(scale, zero_point)
    values = np.concatenate([steps, np.array(SPECIAL, np.float32)]).reshape(1, -1)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input(values.shape, "float32")
        y = graph.tensor(values.shape, "int8", scale=scale, zero_point=zero_point)
        graph.op("QUANTIZE", [x], [y])
        return [x], [y]

    return replace(case(f"quantize by {scale} #{seed}", r, build), samples=[[values]])


def test_bytes_are_the_portable_kernels_at_every_step(tmp_path: Path) -> None:
    cases = [quantize_case(seed) for seed in range(12)]
    core_cases.check(cases, tmp_path, "cortex-m4", THUMB1, variant="steps", at_least=12)


def test_each_step_is_the_least_float_with_its_result() -> None:
    scale, zero_point = 0.013, -17
    below, at, _ = at_the_steps(scale, zero_point).reshape(-1, 3).T
    assert quantized(at, scale, zero_point).tolist() == list(range(-127, 128))
    assert quantized(below, scale, zero_point).tolist() == list(range(-128, 127))


def test_a_table_is_left_out_where_its_flash_does_not_pay() -> None:
    r = Random(0, 187)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, 10), "float32")
        y = graph.tensor((1, 10), "int8", scale=0.1, zero_point=0)
        graph.op("QUANTIZE", [x], [y])
        return [x], [y]

    few, many = case("few", r, build).model, quantize_case(1).model
    assert [lower(load(few), Target(THUMB1), "case").calls[0].variant] == ["portable"]
    assert [lower(load(many), Target(THUMB1, "size"), "case").calls[0].variant] == ["portable"]
    assert [lower(load(few), Target(THUMB1, "speed"), "case").calls[0].variant] == ["steps"]
