# SPDX-License-Identifier: Apache-2.0
"""Layers from dot products of rows on emulated cores of each instruction set, beside portable ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compiler.ops.generate import Random, case
from tests.compiler.ops.recurrent import test_svdf, test_unidirectional_sequence_lstm
from tests.compiler.variants.dsp.layers import FEATURES
from tests.support import core_cases, m55
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

COUNT = 24


def lstm_case(seed: int) -> Case:
    return test_unidirectional_sequence_lstm.random_case(seed, ("int8", "int8", "int16")[seed % 3])


def long_lstm_case(seed: int) -> Case:
    """More units than a block, and more inputs than a vector."""
    return test_unidirectional_sequence_lstm.random_case(seed, ("int8", "int16")[seed % 2], most=40)


def loud_lstm_case(seed: int) -> Case:
    """Biases of which some leave 23 bits."""
    return test_unidirectional_sequence_lstm.random_case(seed, "int8", spread=8_000_000)


def svdf_case(seed: int) -> Case:
    return test_svdf.random_case(seed, ("int8", "int16")[seed % 2])


def matmul_case(seed: int) -> Case:
    """Any sizes, zero points on either side or none, right matrices transposed, constant or neither."""
    r = Random(seed, 182)
    batches, rows, depth, columns = r.choice((1, 1, 2)), r.integer(3, 9), r.integer(1, 40), r.integer(1, 20)
    transposed, constant = r.chance(0.5), r.chance(0.3)
    right_shape = (columns, depth) if transposed else (depth, columns)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        points = [r.zero_point() if r.chance(0.6) else 0 for _ in range(2)]
        left = graph.input((batches, rows, depth), "int8", scale=0.04, zero_point=points[0])
        if constant:
            values = r.rng.integers(-128, 128, (batches, *right_shape)).astype("int8")
            right = graph.constant(values, scale=0.03, zero_point=points[1])
        else:
            right = graph.input((batches, *right_shape), "int8", scale=0.03, zero_point=points[1])
        scale = r.scale(0.05, 3.0)
        y = graph.tensor((batches, rows, columns), "int8", scale=scale, zero_point=r.zero_point())
        graph.op("BATCH_MATMUL", [left, right], [y], adj_x=False, adj_y=transposed)
        return [left] if constant else [left, right], [y]

    return case(f"matmul {batches}x{rows}x{depth}x{columns} #{seed}", r, build)


def fully_connected_case(seed: int) -> Case:
    """int16 activations; one or more rows, tails of depth and channels."""
    r = Random(seed, 183)
    rows, depth, channels = r.choice((1, 1, 3)), r.integer(1, 70), r.integer(1, 21)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((rows, depth), "int16", scale=0.001, zero_point=0)
        values = r.rng.integers(-127, 128, (channels, depth)).astype("int8")
        weights = graph.constant(values, scale=0.01, zero_point=0)
        wide = r.chance(0.5)
        bias = r.rng.integers(-200000, 200000, channels).astype("int64" if wide else "int32")
        y = graph.tensor((rows, channels), "int16", scale=r.scale(0.0005, 0.1), zero_point=0)
        graph.op("FULLY_CONNECTED", [x, weights, graph.constant(bias, scale=0.00001)], [y], activation="NONE")
        return [x], [y]

    return case(f"fully connected int16 #{seed}", r, build)


MAKERS = (lstm_case, long_lstm_case, loud_lstm_case, svdf_case, matmul_case, fully_connected_case)


@pytest.mark.parametrize("make", MAKERS)
def test_dsp_bytes_equal_the_portable_kernels(make: Callable[[int], Case], tmp_path: Path) -> None:
    cases = [make(seed) for seed in range(COUNT)]
    core_cases.check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp-dots", at_least=COUNT * 3 // 4)


def test_packed_lstms_on_dsp_give_the_portable_kernels_bytes(tmp_path: Path) -> None:
    cases = [
        test_unidirectional_sequence_lstm.random_case(seed, "int8", most=36, least=-127)
        for seed in range(COUNT)
    ]
    core_cases.check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp", at_least=COUNT * 2 // 3)


@pytest.mark.parametrize("make", MAKERS)
def test_armv6m_bytes_equal_the_portable_kernels(make: Callable[[int], Case], tmp_path: Path) -> None:
    cases = [make(seed) for seed in range(COUNT)]
    core_cases.check(
        cases, tmp_path, "cortex-m0", frozenset({"thumb1"}), variant="thumb1-dots", at_least=COUNT * 3 // 4
    )


@pytest.mark.skipif(shutil.which(m55.QEMU) is None, reason="needs qemu-system-arm")
@pytest.mark.parametrize("make", MAKERS)
def test_mve_bytes_equal_the_portable_kernels(make: Callable[[int], Case], tmp_path: Path) -> None:
    m55.check([make(seed) for seed in range(COUNT)], tmp_path, "mve-dots", COUNT * 3 // 4)
