"""Estimates beside the measurements: time from a cycle model, energy from the board's power figures."""

from __future__ import annotations

from tinyserve.bench.counts import cycles
from tinyserve.bench.result import Estimate
from tinyserve.boards.types import Board
from tinyserve.devices.device import Device


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


def energy_uj(latency: Estimate | None, board: Board) -> Estimate | None:
    """Microjoules of an inference: the board's active current at full clock over the estimated time."""
    if latency is None or board.power is None:
        return None
    power = board.power
    microwatts = power.supply_v * power.active_ua_per_mhz * board.clock_hz / 1e6
    low, high = (round(microwatts * time / 1000, 6) for time in (latency.low, latency.high))
    return Estimate(low, high, "uJ", f"{board.id}'s power figures over the estimated time")
