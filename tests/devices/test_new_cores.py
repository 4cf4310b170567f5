# SPDX-License-Identifier: Apache-2.0
"""Cores that came later run what is compiled for them: start-up code, registers, floating point."""

from __future__ import annotations

import shutil
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


def float_model() -> bytes:
    """x + y in float32: nothing runs before the FPU is on."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "float32")
    y = graph.constant(np.array([[0.5, 1.0, -2.0, 4.0]], np.float32))
    z = graph.tensor((1, 4), "float32")
    graph.op("ADD", [x, y], [z])
    graph.output(z)
    return model.build()


@pytest.mark.parametrize("name", ["cortex-m85", "hazard3", "rv32imafc", "esp32-p4", "esp32-c6", "giga-r1"])
def test_a_float_model_runs(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    needed = {"cortex-m85": "qemu-system-arm", "hazard3": "qemu-system-riscv32"}.get(name)
    if needed and not shutil.which(needed):
        pytest.skip(f"needs {needed}")
    compiled = compile_model(float_model(), target(board, "balanced"), "model")
    firmware = build(render(compiled, board, tmp_path, emulate=True))
    with open_device(firmware, board) as device:
        client = Client(device.link)
        assert client.identify().core == board.core.name
        client.load(np.array([1.0, 2.0, 3.0, 4.0], np.float32).tobytes())
        client.infer(1)
        found = np.frombuffer(client.outputs()[0], np.float32)
    assert found.tolist() == [1.5, 3.0, 1.0, 8.0]


@pytest.mark.parametrize("name", ["stm32n6570-dk", "ek-ra8m1", "grove-vision-ai-v2", "pico2-riscv"])
def test_boards_whose_memory_no_emulator_has_name_the_generic_core(name: str) -> None:
    from tinyserve.devices import select_emulator
    from tinyserve.errors import UsageError

    board = boards.load(name)
    with pytest.raises(UsageError, match="no emulator has its memory") as caught:
        select_emulator(board)
    generic = boards.load(caught.value.hint.rsplit(maxsplit=1)[-1])
    assert generic.core == board.core
    assert select_emulator(generic)
