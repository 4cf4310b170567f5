# SPDX-License-Identifier: Apache-2.0
"""What a model costs on an emulated board: for comparing variants of a model."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tinyserve import boards, workflow
from tinyserve.bundle import Cost
from tinyserve.compiler.compile import compile_model
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import UsageError
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render


def cost(model: bytes, board: str = "cortex-m4", operators: tuple[Path, ...] = ()) -> Cost:
    """Flash and arena of a .tflite's bench firmware, and the instructions of one inference after one to warm
    up, from the board's first emulator.

    The input is whatever the arena holds (zeros), which for these kernels does not change the count by more
    than saturation does. Raises UsageError for a board whose firmware is not emulated, and what compiling,
    building and running raise: FitError where the model does not fit.
    """
    target_board = boards.load(board)
    if not workflow.is_twin(target_board):
        raise UsageError(f"{board}: counts no instructions", "take a microcontroller: --board cortex-m4")
    compiled = compile_model(model, workflow.target(target_board, "balanced", (), operators), "model")
    with tempfile.TemporaryDirectory(prefix="tinyserve-count-") as directory:
        project = render(compiled, target_board, Path(directory), emulate=True)
        firmware = build(project)
        assert firmware.sizes is not None, "a twin's ELF tells its sizes"
        with open_device(firmware, target_board) as device:
            instructions = int(Client(device.link).infer(1, 1)[0])
    return Cost(
        board=target_board.id,
        flash_bytes=firmware.sizes.flash_bytes,
        arena_bytes=compiled.plan.arena_bytes,
        instructions=instructions,
    )
