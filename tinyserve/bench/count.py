"""What one inference of a model costs on an emulated board: for comparing variants of a model."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tinyserve import boards, road
from tinyserve.codegen.compile import compile_model
from tinyserve.devices import open_device
from tinyserve.dut import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render


def instructions(model: bytes, board: str = "cortex-m4") -> int:
    """Instructions of one inference after one to warm up, from the board's first emulator.

    The input is whatever the arena holds (zeros), which for these kernels does not change the count by more
    than saturation does. Raises what compiling, building and running raise.
    """
    target_board = boards.load(board)
    compiled = compile_model(model, road.target(target_board, "balanced"), "model")
    with tempfile.TemporaryDirectory(prefix="tinyserve-count-") as directory:
        project = render(compiled, target_board, Path(directory), emulate=True)
        firmware = build(project)
        with open_device(firmware, target_board) as device:
            return int(Client(device.link).infer(1, 1)[0])
