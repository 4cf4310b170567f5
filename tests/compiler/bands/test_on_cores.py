# SPDX-License-Identifier: Apache-2.0
"""Bands on emulated cores, with the kernels of their instruction sets and the bands that are worth it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import image_models
from tests.compiler.ops.generate import Random
from tests.support.bands import band_calls, banded, image_graph, reductions
from tests.support.differential import Array, Case, run_tflm
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.graphs.grower import Grower
from tests.support.graphs.weighted import _weights
from tests.support.merge import merge
from tests.support.retype import with_all_in_four_bits
from tinyserve import boards
from tinyserve.bench.counts.layers import arena_blocks
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import Target
from tinyserve.devices import open_device, select_emulator
from tinyserve.devices.client import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render
from tinyserve.workflow import target

CASES = 8
Expected = list[tuple[Case, list[list[Array]]]]


def on_twin(compiled: Compiled, core: str, inputs: list[bytes], directory: Path) -> list[bytes]:
    board = boards.load(core)
    if select_emulator(board).kind == "qemu" and shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU")
    firmware = build(render(compiled, board, directory, emulate=True))
    with open_device(firmware, board) as device:
        client = Client(device.link)
        client.identify()
        for index, data in enumerate(inputs):
            client.load(data, index)
        client.infer(1, 0)
        return [bytes(output) for output in client.outputs()]


@pytest.fixture(scope="module")
def cases() -> Expected:
    made = [image_graph(seed, floats=False) for seed in range(300, 300 + CASES)] + reductions()
    made += [image_graph(seed, floats=False, lines=True) for seed in range(950, 954)]
    return [(case, g) for case, g in zip(made, run_tflm(made), strict=True) if not isinstance(g, str)]


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m55", "rv32imc"])
def test_images_by_rows_give_tflm_s_bytes(core: str, cases: Expected, tmp_path: Path) -> None:
    compiled = banded(merge([case.model for case, _ in cases]), target(boards.load(core), "ram"), 1)
    assert len(band_calls(compiled)) >= 3
    inputs = [array.tobytes() for case, _ in cases for array in case.samples[0]]
    got = on_twin(compiled, core, inputs, tmp_path)
    wanted = [(case.label, array) for case, given in cases for array in given[0]]
    for (label, expected), output in zip(wanted, got, strict=True):
        assert output == np.ascontiguousarray(expected).tobytes(), label


@pytest.mark.slow
def test_mobilenet_runs_by_rows_in_a_fraction_of_the_memory() -> None:
    data = image_models.mobilenet_v2(0.35, 96)
    whole = compile_model(data, Target(frozenset({"host"}), "speed"))
    small = compile_model(data, Target(frozenset({"dsp"})))
    assert small.program.rows is not None and small.program.rows.whole_bytes > 130_000
    assert small.plan.arena_bytes < 48_000
    smallest = compile_model(data, Target(frozenset(), "ram"))
    assert smallest.plan.arena_bytes <= 36_000
    image = np.random.default_rng(3).integers(-128, 128, (1, 96, 96, 3)).astype(np.int8)
    assert not band_calls(whole) and band_calls(smallest)
    assert np.array_equal(
        HostModel(smallest, sanitize=True).run([image])[0], HostModel(whole).run([image])[0]
    )


def test_the_arena_s_picture_shows_what_are_rows() -> None:
    compiled = compile_model(image_models.mobilenet_v2(0.35, 64), Target(frozenset({"dsp"})))
    (band, *_) = band_calls(compiled)
    rows = {block.name for block in arena_blocks(compiled) if block.kind == "rows"}
    whole = [window.given or window.keeper is None for window in band.windows]
    assert len(rows) >= max(1, whole.count(False))
    assert all(name.endswith("_rows") for name in rows)


def test_speed_and_size_keep_tensors_whole() -> None:
    data = image_models.mobilenet_v2(0.35, 64)
    assert not band_calls(compile_model(data, Target(frozenset({"dsp"}), "speed")))
    assert not band_calls(compile_model(data, Target(frozenset({"dsp"}), "size")))
    kept = compile_model(data, Target(frozenset({"dsp"})), optimize_graph=False)
    assert not band_calls(kept) and kept.program.rows is not None
    assert set(kept.program.rows.reasons.values()) >= {"tensors are kept"}


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0"])
def test_weights_of_four_bits_stay_that_in_bands(core: str, tmp_path: Path) -> None:
    r, model = Random(7, 5), ModelBuilder()
    g = Grower(r, model.graph(), floats=False)
    x = g.input((1, 31, 6, 8), "int8")
    for channels in (16, 16, 16):
        y = g.tensor((1, 31, 6, channels), "int8")
        operands = _weights(g, x, g.scale(y), (channels, 3, 3, x.shape[3]), 0)
        g.add("CONV_2D", [x, *operands], y, padding="SAME", stride_h=1, stride_w=1)
        x = y
    y = g.tensor((1, 16), "int8")
    g.add("MEAN", [x, g.integers(1, 2)], y, keep_dims=False)
    g.graph.output(y)
    values = r.values((1, 31, 6, 8), "int8")
    case = with_all_in_four_bits(Case("four bits", model.build(), [[values]]), "CONV_2D")
    ((expected,),) = run_tflm([case])
    compiled = compile_model(case.model, target(boards.load(core), "ram"))
    (band,) = band_calls(compiled)
    assert [stage.op for stage in band.stages] == ["CONV_2D"] * 3 + ["MEAN"]
    assert all("s4" in stage.records[0][0].function for stage in band.stages[:3])
    assert on_twin(compiled, core, [values.tobytes()], tmp_path) == [expected[0].tobytes()]
