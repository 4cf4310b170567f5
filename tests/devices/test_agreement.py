# SPDX-License-Identifier: Apache-2.0
"""Unicorn and QEMU agree: the same firmware gives the same bytes and the same number of instructions, of an
inference, of each layer and of each function.

For the cores that QEMU has a machine of with the emulated port's registers, or that has a core entry of its
own (AN505). Cortex-M0 has none (QEMU's microbit has another serial port), Cortex-M55 is not in Unicorn.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.bench.models import write_classifier
from tinyserve import boards
from tinyserve.boards.types import Board
from tinyserve.compiler.compile import compile_model
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.render import render
from tinyserve.workflow import target

IN_BOTH = [
    board
    for board in boards.all_boards()
    if {"unicorn", "qemu"} <= {emulator.kind for emulator in board.emulators}
]


@dataclass(frozen=True)
class Measured:
    """What a device says of a firmware; ``ticks`` are of two inferences."""

    outputs: list[bytes]
    ticks: list[int]
    layers: list[int]
    functions: list[tuple[str, int]]


def measure(firmware: Firmware, board: Board, emulator: str) -> Measured:
    with open_device(firmware, board, emulator, counted="ts_model_invoke") as device:
        client = Client(device.link)
        info = client.identify()
        assert info.tick_unit == "instructions"
        size = firmware.project.model.inputs[0].nbytes
        client.load(np.random.default_rng(7).integers(0, 256, size, np.uint8).tobytes(), 0)
        ticks = [int(count) for count in client.infer(2, 1)]
        functions = list(device.function_counts().items())
        outputs = [bytes(output) for output in client.outputs()]
        return Measured(outputs, ticks, [layer.ticks for layer in client.profile()], functions)


def test_every_generic_core_that_both_have_is_compared() -> None:
    cores = {board.core.name for board in IN_BOTH}
    expected = {"cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33-an505", "rv32imc", "rv32imafc"}
    assert cores == expected


@pytest.mark.parametrize("board", IN_BOTH, ids=lambda board: board.id)
def test_bytes_and_instructions_are_the_same(board: Board, tmp_path: Path) -> None:
    program = "qemu-system-riscv32" if board.core.port == "riscv" else "qemu-system-arm"
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    write_classifier(tmp_path / "shapes.tflite")
    data = (tmp_path / "shapes.tflite").read_bytes()
    compiled = compile_model(data, target(board, "balanced"), "model")
    firmware = build(render(compiled, board, tmp_path / "firmware", emulate=True))
    unicorn, qemu = (measure(firmware, board, emulator) for emulator in ("unicorn", "qemu"))
    assert unicorn == qemu
    assert unicorn.ticks[0] == unicorn.ticks[1] > 1000 and len(unicorn.layers) > 1
    # The call from the firmware and the return from it lie around the functions.
    assert abs(sum(count for _, count in unicorn.functions) - unicorn.ticks[1]) < 10
