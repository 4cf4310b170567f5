# SPDX-License-Identifier: Apache-2.0
"""What a model costs on an emulated board: for comparing variants of a model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinyserve import boards, workflow
from tinyserve.bundle import Cost
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.program import KernelCall
from tinyserve.convert.settings import FloatShare
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import UsageError
from tinyserve.features.flow import PREFIX
from tinyserve.firmware.build import Firmware, build
from tinyserve.firmware.render import render


def cost(model: bytes, board: str = "cortex-m4", operators: tuple[Path, ...] = ()) -> Cost:
    """Flash and arena of a .tflite's bench firmware, and the instructions of one inference after one to warm
    up, from the board's first emulator.

    The input is whatever the arena holds (zeros), which for these kernels does not change the count by more
    than saturation does. Raises UsageError for a board whose firmware is not emulated, and what compiling,
    building and running raise: FitError where the model does not fit.
    """
    with _running(model, board, operators) as (firmware, client):
        assert firmware.sizes is not None, "a twin's ELF tells its sizes"
        return Cost(
            board=firmware.project.board.id,
            flash_bytes=firmware.sizes.flash_bytes,
            arena_bytes=firmware.project.compiled.plan.arena_bytes,
            instructions=int(client.infer(1, 1)[0]),
        )


def counts_of(model: bytes, board: str, inputs: Sequence[npt.NDArray[Any]]) -> list[int]:
    """The instructions of each of some samples (N, ...) in the model's own types, one after the other, state
    kept. Raises as ``cost`` does."""
    counts = []
    with _running(model, board, ()) as (_, client):
        client.reset()
        for sample in zip(*inputs, strict=True):
            for number, array in enumerate(sample):
                client.load(array.tobytes(), number)
            counts.append(client.infer(1)[0])
    return counts


def float_share(model: bytes, board: str = "cortex-m4", operators: tuple[Path, ...] = ()) -> FloatShare:
    """What the layers cost that compute in float32, features left out. Raises as ``cost`` does."""
    with _running(model, board, operators) as (firmware, client):
        calls = firmware.project.compiled.program.calls
        ticks = [layer.ticks for layer in client.profile()]
        floats = sum(count for call, count in zip(calls, ticks, strict=True) if _touches_floats(call))
        return FloatShare(firmware.project.board.id, floats, sum(ticks))


def _touches_floats(call: KernelCall) -> bool:
    tensors = [one.tensor for one in (*call.reads, *call.writes) if one.tensor is not None]
    is_feature = any(one.tensor is not None and one.tensor.name.startswith(PREFIX) for one in call.writes)
    return not is_feature and any(tensor.dtype is DType.FLOAT32 for tensor in tensors)


@contextmanager
def _running(model: bytes, board: str, operators: tuple[Path, ...]) -> Iterator[tuple[Firmware, Client]]:
    """The model's firmware on the board's first emulator."""
    target_board = boards.load(board)
    if not workflow.is_twin(target_board):
        raise UsageError(f"{board}: counts no instructions", "take a microcontroller: --board cortex-m4")
    compiled = compile_model(model, workflow.target(target_board, "balanced", (), operators), "model")
    with tempfile.TemporaryDirectory(prefix="tinyserve-count-") as directory:
        project = render(compiled, target_board, Path(directory), emulate=True)
        firmware = build(project)
        with open_device(firmware, target_board) as device:
            yield firmware, Client(device.link)
