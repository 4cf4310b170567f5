# SPDX-License-Identifier: Apache-2.0
"""Layers with weights of four bits on emulated cores, beside the portable kernels, and their flash."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random, case
from tests.compiler.variants.layers import any_depthwise_case, conv_case, depthwise_case
from tests.support import core_cases, m55
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.retype import with_four_bits
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import Optimize, Target

COUNT = 14
CORES = {
    "cortex-m4": frozenset({"dsp", "fpu"}),
    "cortex-m0": frozenset({"thumb1"}),
    "rv32imc": frozenset({"rv32m"}),
    "cortex-m55": frozenset({"dsp", "mve", "fpu"}),
}


def fully_connected_case(seed: int) -> Case:
    """One row or more, tails of depth and channels."""
    r = Random(seed, 191)
    rows, depth, channels = r.choice((1, 1, 3, 18)), r.integer(1, 70), r.integer(1, 21)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((rows, depth), "int8", scale=0.05, zero_point=r.zero_point())
        values = r.rng.integers(-128, 128, (channels, depth)).astype("int8")
        weights = graph.constant(values, scale=0.01, zero_point=0)
        bias = graph.constant(r.rng.integers(-20000, 20000, channels).astype("int32"), scale=0.0005)
        scale = 0.05 * 0.01 * 73 * float(np.sqrt(depth)) * r.choice((0.3, 1.0, 4.0))
        y = graph.tensor((rows, channels), "int8", scale=scale, zero_point=r.zero_point())
        activation = r.choice(("NONE", "RELU", "RELU6"))
        graph.op("FULLY_CONNECTED", [x, weights, bias], [y], activation=activation)
        return [x], [y]

    return case(f"fully connected {rows}x{depth}x{channels} #{seed}", r, build)


def grouped_case(seed: int) -> Case:
    """Some groups of input channels."""
    r = Random(seed, 192)
    groups, depth, filters = r.choice((2, 3)), r.integer(2, 9), r.integer(1, 11)
    size, taps = r.integer(2, 7), r.choice((1, 3))

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, size, size, groups * depth), "int8", scale=0.05, zero_point=r.zero_point())
        values = r.rng.integers(-128, 128, (groups * filters, taps, taps, depth)).astype("int8")
        weights = graph.constant(values, scale=0.01, zero_point=0)
        y = graph.tensor((1, size, size, groups * filters), "int8", scale=0.3, zero_point=r.zero_point())
        graph.op("CONV_2D", [x, weights], [y], padding="SAME", stride_h=1, stride_w=1)
        return [x], [y]

    return case(f"{groups} groups #{seed}", r, build)


MAKERS = (conv_case, grouped_case, fully_connected_case)
DEPTHWISE = (depthwise_case, any_depthwise_case)


def four_bit(make: Callable[[int], Case], count: int) -> list[Case]:
    return [with_four_bits(make(seed)) for seed in range(count)]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("cpu", "variant"), [("cortex-m4", "dsp-dots-4bit"), ("cortex-m0", "thumb1-dots-4bit")]
)
def test_bytes_equal_the_portable_kernels(
    make: Callable[[int], Case], cpu: str, variant: str, tmp_path: Path
) -> None:
    cases = four_bit(make, COUNT)
    core_cases.check(cases, tmp_path, cpu, CORES[cpu], variant=variant, at_least=COUNT)


@pytest.mark.skipif(shutil.which(m55.QEMU) is None, reason="needs qemu-system-arm")
@pytest.mark.parametrize("make", MAKERS)
def test_mve_bytes_equal_the_portable_kernels(make: Callable[[int], Case], tmp_path: Path) -> None:
    m55.check(four_bit(make, COUNT), tmp_path, "mve-dots-4bit", COUNT)


@pytest.mark.parametrize("make", DEPTHWISE)
@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m0", "rv32imc"])
def test_unpacked_weights_give_the_portable_bytes(
    make: Callable[[int], Case], cpu: str, tmp_path: Path
) -> None:
    cases = four_bit(make, COUNT // 2)
    result = core_cases.compare(cases, tmp_path, cpu, Target(CORES[cpu]), "")
    assert not result.differences and result.compared == len(cases)


@pytest.mark.skipif(shutil.which(m55.QEMU) is None, reason="needs qemu-system-arm")
@pytest.mark.parametrize("make", DEPTHWISE)
def test_mve_unpacked_weights_give_the_portable_bytes(make: Callable[[int], Case], tmp_path: Path) -> None:
    m55.check(four_bit(make, COUNT // 2), tmp_path, "", 0)


@pytest.mark.parametrize("cpu", ["", *CORES])
def test_wide_layers_keep_four_bits_in_flash_unless_speed_comes_first(cpu: str) -> None:
    """Weights take half the bytes that int8 does."""
    features = CORES.get(cpu, frozenset())

    def flash(make: Callable[[int], Case], seed: int, optimize: Optimize) -> int:
        model = load(with_four_bits(make(seed)).model)
        return sum(constant.nbytes for constant in lower(model, Target(features, optimize), "m").constants)

    for make in (conv_case, fully_connected_case):
        weights = [load(make(seed).model).main.nodes[0].input("weights").elements for seed in range(COUNT)]
        large = max(range(COUNT), key=lambda seed: weights[seed])
        for aim, share in (("balanced", 0.5), ("ram", 0.5), ("size", 0.5), ("speed", 1.0)):
            others = 24 * load(make(large).model).main.nodes[0].input("weights").shape[0]
            found = flash(make, large, aim)  # type: ignore[arg-type]
            assert share * weights[large] <= found, (aim, found)
            assert aim == "speed" or found <= 0.6 * weights[large] + others, (aim, found, weights[large])
