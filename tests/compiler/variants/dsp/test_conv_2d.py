# SPDX-License-Identifier: Apache-2.0
"""CONV_2D with SMLAD on emulated cores, against the portable kernel: shapes, borders, tails, overlaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.compiler.ops.generate import Random, case
from tests.compiler.ops.linear.test_conv_2d import output_size
from tests.compiler.variants.dsp.layers import FEATURES, STACK_LIMIT, activation_of, quantized_weights
from tests.support.core_cases import check, compare, link, lowered, run
from tests.support.differential import Case
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE, Choice, Target


def conv_case(seed: int) -> Case:
    r = Random(seed, 77)
    batches = r.choice((1, 1, 1, 2))
    height, width = r.integer(1, 11), r.integer(1, 11)
    input_channels = r.choice((1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20))
    channels = r.choice((2, 2, 3, 4, 5, 6, 8, 10))
    taps = r.choice(((1, 1), (1, 1), (3, 3), (3, 3), (2, 3), (5, 1), (10, 4), (4, 4)))
    stride = r.choice(((1, 1), (1, 1), (2, 2), (1, 2), (3, 1)))
    dilation = r.choice(((1, 1), (1, 1), (1, 1), (2, 2), (1, 2)))
    padding = r.choice(("SAME", "SAME", "VALID"))
    axes = zip((height, width), taps, stride, dilation, strict=True)
    sizes = [output_size(*axis, padding) for axis in axes]
    if 0 in sizes:
        padding, sizes = "SAME", [-(-height // stride[0]), -(-width // stride[1])]
    activation, zero_point = activation_of(r)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input(
            (batches, height, width, input_channels), "int8", scale=0.05, zero_point=r.zero_point()
        )
        weights, bias, scale = quantized_weights(
            r, graph, (channels, *taps, input_channels), 0.05, r.chance(0.8)
        )
        y = graph.tensor((batches, *sizes, channels), "int8", scale=scale, zero_point=zero_point)
        graph.op(
            "CONV_2D", [x, weights, bias], [y],
            padding=padding, activation=activation,
            stride_h=stride[0], stride_w=stride[1],
            dilation_h_factor=dilation[0], dilation_w_factor=dilation[1],
        )  # fmt: skip
        return [x], [y]

    return case(f"conv #{seed}", r, build)


def test_widened_weights_give_the_same_bytes(tmp_path: Path) -> None:
    cases = [conv_case(3000 + seed) for seed in range(40)]
    check(cases, tmp_path, "cortex-m4", FEATURES, variant="dsp-wide", at_least=12, optimize="speed")


def winograd_case(seed: int) -> Case:
    """3x3 of even height, width and channels in fours; outputs with and without negative ties."""
    r = Random(seed, 78)
    height, width = 2 * r.integer(1, 5), 4 * r.integer(1, 3)
    depth, channels = 4 * r.choice((1, 2, 3, 4, 5, 8)), 4 * r.integer(1, 4)
    activation, zero_point = activation_of(r)

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, height, width, depth), "int8", scale=0.05, zero_point=r.zero_point())
        weights, bias, scale = quantized_weights(r, graph, (channels, 3, 3, depth), 0.05, r.chance(0.8))
        y = graph.tensor((1, height, width, channels), "int8", scale=scale, zero_point=zero_point)
        graph.op(
            "CONV_2D", [x, weights, bias], [y], padding="SAME", activation=activation, stride_h=1, stride_w=1
        )
        return [x], [y]

    return case(f"winograd #{seed}", r, build)


def test_winograd_gives_the_same_bytes(tmp_path: Path) -> None:
    cases = [winograd_case(seed) for seed in range(40)]
    layers = {layer for case in cases for layer in lower(load(case.model), Target(FEATURES), "case").offers}
    speed = Target(FEATURES, "speed")
    chosen = replace(speed, choices=tuple(Choice(layer, "dsp-winograd") for layer in sorted(layers)))
    result = compare(cases, tmp_path, "cortex-m4", chosen, "dsp-winograd")
    assert not result.differences
    assert result.variants == len(cases)
    assert result.stack_bytes <= STACK_LIMIT


@pytest.mark.parametrize(("variant", "least"), [("dsp-single", 20), ("dsp-pair", 32)])
def test_fewer_pixels_at_a_time_give_the_same_bytes(variant: str, least: int, tmp_path: Path) -> None:
    ram = Target(FEATURES, "ram")
    cases = [conv_case(4000 + seed) for seed in range(40)]
    offers = [lower(load(case.model), ram, "case").offers for case in cases]
    taken = [case for case, offer in zip(cases, offers, strict=True) if variant in str(offer)]
    layers = {layer for offer in offers for layer, names in offer.items() if variant in names}
    chosen = replace(ram, choices=tuple(Choice(layer, variant) for layer in sorted(layers)))
    result = compare(taken, tmp_path, "cortex-m4", chosen, variant)
    assert not result.differences
    assert result.variants == len(taken) >= least
    assert result.stack_bytes <= STACK_LIMIT


def least_weight_case(seed: int) -> Case:
    """The least weight in a second channel, a negative one in the first: no half-word takes both."""
    r = Random(seed, 79)
    height, taps, depth = r.integer(2, 6), r.choice(((1, 1), (3, 3))), r.choice((2, 4, 5))
    weights = r.values((4, *taps, depth), "int8")
    weights[:2, 0, 0, 0] = -5, -128

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x = graph.input((1, height, 5, depth), "int8", scale=0.05, zero_point=r.zero_point())
        y = graph.tensor((1, height, 5, 4), "int8", scale=0.2, zero_point=-128)
        constant = graph.constant(weights, [0.01] * 4, axis=0)
        graph.op("CONV_2D", [x, constant, None], [y], padding="SAME", stride_h=1, stride_w=1)
        return [x], [y]

    return case(f"least weight #{seed}", r, build)


def test_whatever_kernel_is_chosen_links_and_gives_the_same_bytes(tmp_path: Path) -> None:
    ram = Target(FEATURES, "ram")
    cases = [least_weight_case(seed) for seed in range(6)] + [conv_case(5000 + seed) for seed in range(6)]
    found: set[str] = set()
    programs, wanted = [], []
    for one in cases:
        portable = lowered(one.model, PORTABLE, "portable")
        for layer, names in lower(load(one.model), ram, "case").offers.items():
            chosen = [replace(ram, choices=(Choice(layer, name),)) for name in names]
            programs += [portable, *(lower(load(one.model), target, "case") for target in chosen)]
            wanted += [(one, index) for index in range(len(names) + 1)]
            found |= {*names}
    image = link(programs, tmp_path, "cortex-m4")
    first: list[bytes] = []
    for index, (program, (one, place)) in enumerate(zip(programs, wanted, strict=True)):
        outputs, _ = run(image, index, program, [array.tobytes() for array in one.samples[0]], None)
        first = outputs if place == 0 else first
        assert outputs == first, one.label
    assert found >= {"dsp", "dsp-pair", "dsp-single", "dsp-wide", "dsp-wide-single", "portable"}


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m7", "cortex-m33"])
def test_bytes_equal_the_portable_kernel(cpu: str, tmp_path: Path) -> None:
    first = {"cortex-m4": 0, "cortex-m7": 1000, "cortex-m33": 2000}[cpu]
    count = 60 if cpu == "cortex-m4" else 15
    cases = [conv_case(first + seed) for seed in range(count)]
    result = check(cases, tmp_path, cpu, FEATURES, variant="dsp", at_least=count * 3 // 4)
    assert result.stack_bytes <= STACK_LIMIT
