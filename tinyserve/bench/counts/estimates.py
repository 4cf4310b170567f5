# SPDX-License-Identifier: Apache-2.0
"""Estimates beside the measurements: time from a cycle model, energy from the board's power figures."""

from __future__ import annotations

from tinyserve.bench.counts import cycles
from tinyserve.bench.result import Estimate
from tinyserve.boards.types import Board
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.devices.device import Device
from tinyserve.firmware.build import Firmware


def latency_ms(device: Device, board: Board) -> Estimate | None:
    """Milliseconds of the last inference on the board's core and clock; None where the device has no counts
    per basic block or the core has no cycle model."""
    machine = getattr(device, "machine", None)
    if machine is None or not board.core.cycle_model:
        return None
    blocks = machine.inference_blocks()
    found = cycles.estimate(blocks, machine, board.core.cycle_model, board.flash_wait_states)
    if found is None:
        return None
    per_ms = board.clock_hz / 1000
    return Estimate(round(found.low / per_ms, 6), round(found.high / per_ms, 6), "ms", found.model)


def why_none(unit: str, board: Board) -> list[str]:
    """A note where instructions were counted and no time follows from them; ``unit`` is what was counted."""
    if unit != "instructions":
        return []
    core = board.core
    if not core.cycle_model:
        return [
            f"no time is estimated: there is no cycle model of {core.name}, only instructions are counted"
        ]
    return [
        f"no time is estimated: {core.name}'s cycle model takes counts per block, which Unicorn alone gives"
    ]


def energy_uj(latency: Estimate | None, board: Board) -> Estimate | None:
    """Microjoules of an inference: the board's active current at full clock over the estimated time."""
    if latency is None or board.power is None:
        return None
    power = board.power
    microwatts = power.supply_v * power.active_ua_per_mhz * board.clock_hz / 1e6
    low, high = (round(microwatts * time / 1000, 6) for time in (latency.low, latency.high))
    return Estimate(low, high, "uJ", f"{board.id}'s power figures over the estimated time")


def cycles_per_instruction(firmware: Firmware, board: Board) -> float:
    """What one instruction of an inference takes on average by the cycle model, in the middle of its range; 1
    where there is no estimate. For time stamps of emulated boards, which programs read as times.

    Raises DeviceError and ToolError as the emulator does.
    """
    if not (board.core.cycle_model and board.core.unicorn_cpu):
        return 1.0
    with open_device(firmware, board, emulator="unicorn") as device:
        client = Client(device.link)
        for index, size in enumerate(client.identify().input_bytes):
            client.load(bytes((i * 31 + 7) & 0xFF for i in range(size)), index)
        (instructions,) = client.infer(1)
        found = latency_ms(device, board)
    if found is None or not instructions:
        return 1.0
    return (found.low + found.high) / 2 * board.clock_hz / 1000 / instructions
