# SPDX-License-Identifier: Apache-2.0
"""Puts an image on a device: upload, verify, prove, try, confirm. Whatever happens, the device keeps a model
that it had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyserve.devices.smp.client import SmpError
from tinyserve.devices.smp.commands import Phase, SlotsState, SmpDevice
from tinyserve.errors import FileSystemError, RefusedError, UsageError
from tinyserve.progress import Progress, silent
from tinyserve.slots import read
from tinyserve.slots.layout import SLOT_COUNT
from tinyserve.slots.read import ImageFile
from tinyserve.slots.reasons import words
from tinyserve.slots.signing import image_path

NO_SLOT = 0xFF


@dataclass(frozen=True)
class Updated:
    """What an update did. ``was_there``: the device served this model already."""

    slot: int
    image: ImageFile
    confirmed: bool
    was_there: bool = False


def images(path: Path) -> list[ImageFile]:
    """An image, or those of a directory that `tinyserve sign` wrote. Raises FileSystemError, ModelError."""
    if not path.is_dir():
        return [read.read(path)]
    found = [image_path(path, slot) for slot in range(SLOT_COUNT) if image_path(path, slot).is_file()]
    if not found:
        raise FileSystemError(
            f"{path} holds no images", "tinyserve sign BUNDLE --board NAME --key FILE -o DIR"
        )
    return [read.read(file) for file in found]


def update(
    device: SmpDevice, offered: Sequence[ImageFile], *, confirm: bool = True, progress: Progress = silent
) -> Updated:
    """Puts the image that fits the free slot on the device.

    Before it is confirmed the device is restarted, and must serve the model afterwards. Raises RefusedError
    with the device's reason, UsageError where no image is for the slot that is free, DeviceError.
    """
    state = device.slots()
    served = _served(state, offered)
    if served is not None:
        return _finish(device, state.active, served, confirm, was_there=True)
    slot = free_slot(state)
    image = next((image for image in offered if image.slot_address == state.slots[slot].address), None)
    if image is None:
        raise UsageError(
            f"slot {slot} at {state.slots[slot].address:#010x} is free, and the image is linked for "
            + " and ".join(f"{image.slot_address:#010x}" for image in offered),
            "sign it for this device's board: tinyserve sign --board NAME"
            if len(offered) > 1
            else "name the directory of tinyserve sign, which holds an image for each slot of the board",
        )
    try:
        device.upload(image.data, progress)
        progress("verifying and proving")
        device.test(image.hash)
    except SmpError as error:
        raise refused(device, slot, image, error) from error
    return _finish(device, slot, image, confirm)


def free_slot(state: SlotsState) -> int:
    """Where an image would go. Raises UsageError where a trial is not over."""
    if state.active == NO_SLOT:
        return 1 if state.slots[1].phase == Phase.RECEIVING else 0
    other = 1 - state.active
    trial = state.slots[state.active].phase == Phase.TRIAL
    if trial and state.slots[other].phase in (Phase.TRIAL, Phase.CONFIRMED):
        raise UsageError(
            f"slot {state.active} is on trial: slot {other} is what the device would go back to",
            "tinyserve slots --confirm ends the trial, tinyserve slots --revert goes back",
        )
    return other


def refused(device: SmpDevice, slot: int, image: ImageFile, error: Exception) -> Exception:
    """The device's own reason where it stored one, else the error itself."""
    state = device.slots().slots[slot]
    if state.phase != Phase.REFUSED:
        return error
    why, hint = words(state.reason, state.detail)
    return RefusedError(f"the device refuses {image.path}: {why}", hint)


def _served(state: SlotsState, offered: Sequence[ImageFile]) -> ImageFile | None:
    if state.active == NO_SLOT:
        return None
    active = state.slots[state.active]
    return next((image for image in offered if image.is_intact and image.hash == active.hash), None)


def _finish(
    device: SmpDevice, slot: int, image: ImageFile, confirm: bool, was_there: bool = False
) -> Updated:
    """The restart, and what must be true after it."""
    if not confirm:
        return Updated(slot, image, False, was_there)
    done = Updated(slot, image, True, was_there)
    restart(device, done)
    device.confirm()
    return done


def restart(device: SmpDevice, done: Updated) -> None:
    """Restarts the device, where it did not serve the image before. Raises RefusedError where it does not
    serve it afterwards."""
    if done.was_there:
        return
    device.reset()
    if device.model().sha256 != done.image.model_sha256.hex():
        state = device.slots().slots[done.slot]
        why, hint = words(state.reason, state.detail)
        raise RefusedError(f"the device does not serve {done.image.path} after a restart: {why}", hint)
