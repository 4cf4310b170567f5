# SPDX-License-Identifier: Apache-2.0
"""Counters on the device: they are those that the reference is compared with, and cost next to nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.health.devices import counted
from tests.slots.conftest import Workshop, smp
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.health.counters import Counters, read
from tinyserve.slots.update import update

LOOK_EVERY = 220
PRICE = LOOK_EVERY * (340 + 44 * 16 + 32 * 4)
"""Ticks between two looks at the classifier, as health.c has them."""
COUNTING = {
    "health_count",
    "look",
    "sum_ticks",
    "count_input",
    "count_output",
    "count_end",
    "ordered",
    "bin_of",
}


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
    board.infer()
    runs = PRICE // counters(board).ticks_min + 8
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
    assert seen.fine == wanted.fine
    assert any(seen.fine)
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


def test_counting_costs_half_a_percent_and_some_instructions(workshop: Workshop) -> None:
    """A look costs no more than what is waited for is worth; all other inferences pay a few instructions."""
    device = workshop.device()
    board = smp(device)
    update(board, workshop.images(1))
    board.load(bytes(range(16)))
    board.infer(1)
    ticks = counters(board).ticks_min
    before = counters(board).looked_at
    device.machine.monitor.forget()
    rounds = 2 * PRICE // (32 * ticks) + 2
    for _ in range(rounds):
        board.infer(32)
    assert device.symbols is not None
    blocks = device.machine.monitor.blocks()
    counts = device.symbols.function_counts((block.address, block.executed) for block in blocks)
    spent = sum(count for name, count in counts.items() if name in COUNTING)
    looks = counters(board).looked_at - before
    assert looks >= 2
    per_look = spent - rounds * 32 * 50
    assert per_look <= looks * PRICE / LOOK_EVERY
    assert 1 / LOOK_EVERY < 0.005


def test_counters_of_a_twin_last_from_one_command_to_the_next(m0: Workshop, tmp_path: Path) -> None:
    kept = tmp_path / "twin.bin"
    device = m0.device(kept)
    update(smp(device), m0.images(1))
    smp(device).load(bytes(16))
    smp(device).infer(7)
    resets = counters(smp(device)).resets
    device.close()
    seen = counters(smp(m0.device(kept)))
    assert (seen.inferences, seen.resets) == (7, resets)
