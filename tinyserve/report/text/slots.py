# SPDX-License-Identifier: Apache-2.0
"""What a device's slots hold, in lines."""

from __future__ import annotations

from collections.abc import Iterator

from tinyserve.devices.smp.commands import ModelState, Phase, SlotsState, SlotState
from tinyserve.slots.image import key_hash_of
from tinyserve.slots.reasons import words

_PHASES = {
    Phase.EMPTY: "empty",
    Phase.RECEIVING: "an upload that is not finished",
    Phase.PROVING: "proves itself",
    Phase.TRIAL: "on trial",
    Phase.CONFIRMED: "confirmed",
    Phase.REFUSED: "refused",
}


def slot_lines(state: SlotsState, model: ModelState) -> Iterator[str]:
    """A line per slot, and what the device takes."""
    served = f"{model.model}, model {model.sha256[:16]}" if model.sha256 else "nothing"
    yield f"{model.board} ({model.core}) serves {served}"
    for number, slot in enumerate(state.slots):
        yield f"slot {number} at {slot.address:#010x}: {_slot(slot, number == state.active, state.boots)}"
    yield (
        f"takes images of key {key_hash_of(state.key).hex()[:16]}, counter {state.counter} or higher, "
        f"up to {state.slot_bytes:,} bytes and {state.memory:,} bytes of RAM"
    )


def _slot(slot: SlotState, is_active: bool, boots: int) -> str:
    known = slot.phase in set(Phase)
    parts = [_PHASES[Phase(slot.phase)] if known else f"phase {slot.phase}"]
    if slot.phase == Phase.REFUSED:
        parts.append(words(slot.reason, slot.detail)[0])
    if slot.phase == Phase.TRIAL and is_active:
        parts.append(f"{boots} boots are left to confirm it")
    if slot.hash and slot.phase != Phase.EMPTY:
        major, minor, revision, build = slot.version
        parts.append(f"version {major}.{minor}.{revision}+{build}, image {slot.hash.hex()[:16]}")
    if is_active:
        parts.append("served")
    return ", ".join(parts)
