# SPDX-License-Identifier: Apache-2.0
"""Counters on the device: they are those that the reference is compared with, and cost next to nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.health.devices import counted
from tests.slots.conftest import Workshop, smp
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.health.counters import Counters, read
from tinyserve.slots.update import update

LOOK_TICKS, LOOK_EVERY = 1300, 250
"""As health.c has them."""


def infer(board: SmpDevice, values: np.ndarray, runs: int) -> None:
    board.load(values.tobytes())
    for at in range(0, runs, 32):
        board.infer(min(32, runs - at))


def counters(board: SmpDevice) -> Counters:
    state = board.health()
    return read(state.data, state.sha256)


def test_the_device_counts_what_the_host_would(workshop: Workshop) -> None:
    board = smp(workshop.device())
    update(board, workshop.images(1))
    rng = np.random.default_rng(4)
    inputs = rng.integers(-128, 128, (6, 1, 16)).astype(np.int8)
    board.load(inputs[0].tobytes())
    runs = -(-LOOK_TICKS * LOOK_EVERY // board.infer(1)[0]) + 8
    board.clear_health()
    looked: list[np.ndarray] = []
    for values in inputs:
        infer(board, values, runs)
        looked += [values] * (counters(board).looked_at - len(looked))
    seen = counters(board)
    assert seen.inferences == runs * len(inputs)
    assert len(looked) >= len(inputs) - 1
    model = HostModel(compile_model(workshop.bundles(1).model_bytes()))
    outputs = model.run_batch([np.stack(looked)])[0].reshape(len(looked), -1)
    wanted = counted(np.stack(looked).reshape(-1, 16), outputs)
    assert (seen.confidence, seen.classes, seen.codes) == (wanted.confidence, wanted.classes, wanted.codes)
    assert (seen.clipped_low, seen.clipped_high) == (wanted.clipped_low, wanted.clipped_high)


def test_counters_survive_a_reset_and_end_with_the_power(m0: Workshop) -> None:
    device = m0.device()
    board = smp(device)
    update(board, m0.images(1))
    board.load(bytes(16))
    board.infer(5)
    board.reset()
    assert counters(board).inferences == 5
    device.machine.power_on()
    device.link.discard_input()
    assert counters(board).inferences == 0


def test_another_model_is_counted_from_zero(m0: Workshop) -> None:
    board = smp(m0.device())
    update(board, m0.images(1))
    board.load(bytes(16))
    board.infer(5)
    update(board, m0.images(2, counter=2))
    assert counters(board).inferences == 0


def test_counting_costs_half_a_percent(workshop: Workshop) -> None:
    """Of a model's instructions, over as many inferences as are between two looks, that look included."""
    device = workshop.device()
    board = smp(device)
    update(board, workshop.images(1))
    board.load(bytes(range(16)))
    ticks = board.infer(1)[0]
    symbols = device.symbols
    assert symbols is not None
    device.machine.monitor.forget()
    board.infer(32)
    blocks = device.machine.monitor.blocks()
    counts = symbols.function_counts((block.address, block.executed) for block in blocks)
    health = sum(count for name, count in counts.items() if name in ("health_count", "count_input"))
    always = health / 32
    assert always < 80, "what is done in every inference"
    looks = LOOK_TICKS / (LOOK_TICKS * LOOK_EVERY)
    assert looks < 0.005
    if ticks > 20_000:
        assert always / ticks + looks == pytest.approx(0, abs=0.005)
