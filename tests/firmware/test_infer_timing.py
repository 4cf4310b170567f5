# SPDX-License-Identifier: Apache-2.0
"""What MLPerf Tiny's `infer N W` times: inferences alone, as its reference firmware does. Its result is that
of the input that was sent, even where an inference overwrites its input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards
from tinyserve.compiler.compile import compile_model
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render
from tinyserve.workflow import target

ELEMENTS = 4096


def overwriting_model() -> bytes:
    """Adds to its input in place: after an inference the input holds the output."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, ELEMENTS), "int8", 0.5)
    y = graph.tensor((1, ELEMENTS), "int8", 0.5)
    z = graph.tensor((1, ELEMENTS), "int8", 0.5)
    graph.op("ADD", [x, graph.constant(np.full((1, ELEMENTS), 3, np.int8), 0.5)], [y])
    graph.op("ADD", [y, graph.constant(np.full((1, ELEMENTS), 1, np.int8), 0.5)], [z])
    graph.output(z)
    return model.build()


@pytest.mark.parametrize("cycles", [1.0, 1.5])
def test_only_inferences_are_timed_and_the_last_result_is_right(cycles: float, tmp_path: Path) -> None:
    board = boards.load("nano33")
    compiled = compile_model(overwriting_model(), target(board, "balanced"), "model")
    project = render(compiled, board, tmp_path, emulate=True, cycles_per_instruction=cycles)
    data = (np.arange(ELEMENTS) % 50).astype(np.int8)
    with open_device(build(project), board) as device:
        client = Client(device.link)
        client.load(data.tobytes())
        (ticks,) = client.infer(1)
        expected = client.outputs()
        run = client.mlperf_infer(20, 3)
        assert client.outputs() == expected
    us = ticks * cycles / (board.clock_hz / 1e6)
    assert run.elapsed_us / 20 == pytest.approx(us, rel=0.002), "a copy of the input would add to it"


def test_an_emulated_board_says_that_its_times_are_estimates(tmp_path: Path) -> None:
    board = boards.load("nano33")
    compiled = compile_model(overwriting_model(), target(board, "balanced"), "model")
    project = render(compiled, board, tmp_path, emulate=True, cycles_per_instruction=1.3)
    with open_device(build(project), board) as device:
        client = Client(device.link)
        assert client.name() == "tinyserve, emulated: times are estimates"
        device.link.write(b"profile%")
        lines = [device.link.read_line(60) for _ in range(4)]
    assert lines[2] == "m-emulated-[m-lap-us is an estimate: 1.30 cycles per instruction at 64 MHz]"
