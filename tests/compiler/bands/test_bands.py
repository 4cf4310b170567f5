# SPDX-License-Identifier: Apache-2.0
"""Layers that are computed by rows give TFLM's bytes, whatever the graph, and nothing is overwritten too
early."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.compiler.bands.machine import BandMachine
from tests.support.bands import all_bands, band_calls, banded, image_graph, reductions
from tests.support.differential import Case, run_tflm
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.graphs.random_graph import random_graph
from tests.support.merge import merge
from tinyserve.compiler import passes
from tinyserve.compiler.bands.stages import MOST_INPUTS
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import PORTABLE, BandCall, Target

IMAGES = 40


def _check(cases: list[Case], seed: int, target: Target = PORTABLE) -> list[BandCall]:
    """Compares all cases, as one model, with TFLM; the bands that there were."""
    ran = [(case, g) for case, g in zip(cases, run_tflm(cases), strict=True) if not isinstance(g, str)]
    assert len(ran) >= 0.9 * len(cases)
    compiled = banded(merge([case.model for case, _ in ran]), target, seed)
    host = HostModel(compiled, sanitize=True)
    for sample in range(2):
        outputs = host.run([array for case, _ in ran for array in case.samples[sample]])
        wanted = [(case.label, array) for case, given in ran for array in given[sample]]
        for (label, expected), got in zip(wanted, outputs, strict=True):
            same = (
                np.allclose(expected, got, 1e-4, 1e-4, equal_nan=True)
                if expected.dtype.kind == "f"
                else (np.array_equal(expected, got))
            )
            assert same, label
    return band_calls(compiled)


@pytest.mark.parametrize(("block", "target"), [(0, PORTABLE), (1, Target(frozenset({"host"}), "ram"))])
def test_images_by_rows_give_tflm_s_bytes(block: int, target: Target) -> None:
    seeds = range(block * IMAGES // 2, (block + 1) * IMAGES // 2)
    assert len(_check([image_graph(seed) for seed in seeds], block, target)) >= 10


def test_images_of_one_row_by_columns_give_tflm_s_bytes() -> None:
    bands = _check([image_graph(seed, lines=True) for seed in range(900, 924)], 7)
    assert sum(len(call.stages) > 1 for call in bands) >= 8


def test_sums_and_maxima_that_go_on_from_row_to_row_give_tflm_s_bytes() -> None:
    stages = [stage for call in _check(reductions(), 5) for stage in call.stages]
    assert sum(stage.rows == 0 for stage in stages) >= 14


def test_graphs_of_all_operators_by_rows_give_tflm_s_bytes() -> None:
    assert len(_check([random_graph(seed, floats=False).case for seed in range(5000, 5024)], 3)) >= 3


@pytest.mark.parametrize("seed", range(30))
def test_no_row_is_overwritten_before_it_was_read_for_the_last_time(seed: int) -> None:
    compiled = banded(image_graph(seed + 500).model, seed=seed)
    for call in band_calls(compiled):
        BandMachine(call, compiled.plan).run()


@pytest.mark.parametrize("feature", ["dsp", "mve", "thumb1", "rv32m", "host"])
def test_nor_with_the_kernels_of_any_instruction_set(feature: str) -> None:
    found = 0
    for seed in range(700, 706):
        compiled = banded(image_graph(seed).model, Target(frozenset({feature})), seed)
        for call in band_calls(compiled):
            BandMachine(call, compiled.plan).run()
            found += 1
    assert found >= 3


@pytest.mark.parametrize("count", [MOST_INPUTS, MOST_INPUTS + 1])
def test_a_layer_has_as_many_inputs_as_the_driver_takes(count: int) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 16, 4, 1), "int8", 0.5)
    parts = [graph.tensor((1, 16, 4, 1), "int8", 0.5) for _ in range(count)]
    for rows, part in enumerate(parts, 2):
        options = {"stride_w": 1, "stride_h": 1, "filter_width": 1, "filter_height": rows}
        graph.op("MAX_POOL_2D", [x], [part], padding="SAME", **options)
    joined = graph.tensor((1, 16, 4, count), "int8", 0.5)
    graph.op("CONCATENATION", parts, [joined], axis=3)
    graph.output(joined)
    compiled = banded(model.build())
    stages = [stage for call in band_calls(compiled) for stage in call.stages]
    assert ("CONCATENATION" in [stage.op for stage in stages]) == (count == MOST_INPUTS)
    values = np.random.default_rng(0).integers(-128, 128, (1, 16, 4, 1)).astype(np.int8)
    (got,) = HostModel(compiled, sanitize=True).run([values])
    (wanted,) = HostModel(compile_model(model.build())).run([values])
    assert np.array_equal(got, wanted)


@pytest.mark.parametrize("rows", [0x7FFF, 0x8000, 70_000])
def test_an_image_of_more_rows_than_the_driver_counts_is_in_no_band(rows: int) -> None:
    """A second of sound has 16,000; of 70,000 rows the driver saw 4,464."""
    model = ModelBuilder()
    graph, r = model.graph(), np.random.default_rng(3)
    x = graph.input((1, rows, 1, 1), "int8", 0.05)
    for extent, step, channels in ((8, 16, 64), (3, 2, 8)):
        made = (x.shape[1] - extent) // step + 1
        y = graph.tensor((1, made, 1, channels), "int8", 0.05)
        values = r.integers(-9, 9, (channels, extent, 1, x.shape[3])).astype(np.int8)
        weights = graph.constant(values, [0.01] * channels, axis=0)
        graph.op("CONV_2D", [x, weights, None], [y], padding="VALID", stride_h=step, stride_w=1)
        x = y
    z = graph.tensor((1, 8), "int8", 0.0005)
    graph.op("MEAN", [x, graph.constant(np.array([1, 2], np.int32))], [z], keep_dims=False)
    graph.output(z)
    compiled = compile_model(model.build(), Target(optimize="ram"))
    stages = [stage.op for call in band_calls(compiled) for stage in call.stages]
    assert ("CONV_2D" in stages) == (rows <= 0x7FFF)
    values = r.integers(-128, 128, (1, rows, 1, 1)).astype(np.int8)
    (got,) = HostModel(compiled, sanitize=True).run([values])
    (wanted,) = HostModel(compile_model(model.build(), Target(optimize="speed"))).run([values])
    assert np.array_equal(got, wanted)


def test_graphs_of_these_tests_have_kernels_that_are_not_the_cheapest() -> None:
    target, drawn = Target(frozenset({"dsp"}), "ram"), set()
    for seed in range(3000, 3017):
        model = passes.load(image_graph(seed, floats=False).model)
        passes.optimize(model)
        bands = all_bands(model, random.Random(seed), target)
        drawn |= {name for band in bands for _, name in band.variants}
    assert drawn >= {"portable", "dsp-pair", "dsp-single", "dsp-wide", "dsp-wide-single"}
