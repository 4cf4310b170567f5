# SPDX-License-Identifier: Apache-2.0
"""Devices with slots: the model that they are to serve is put on them, and their line is opened."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tinyserve.devices.link import Link
from tinyserve.devices.smp.client import SmpClient
from tinyserve.devices.smp.commands import Phase, SmpDevice
from tinyserve.errors import DeviceError, UsageError
from tinyserve.serve.config import MemberSpec
from tinyserve.slots import keys
from tinyserve.slots.read import ImageFile
from tinyserve.slots.update import NO_SLOT, images, restart, update

_LOCK_S = 1.0


class Slots:
    """Of the device at ``link``, whose line is open to us until ``close``."""

    def __init__(self, link: Link, spec: MemberSpec) -> None:
        """Raises FileSystemError for a key that can't be read."""
        self._spec = spec
        self._key = keys.private(Path(spec.line_key)) if spec.line_key else None
        self._link = link
        self._device = SmpDevice(SmpClient(link), self._key.sign if self._key is not None else None)

    def prepare(self, model_sha256: str) -> None:
        """The device serves that model when this returns: if ``spec.images`` names it, it is uploaded where
        it is not there, and on trial until ``keep``. What the device does not take leaves it with the model
        that it had; so does another model that is on trial still.

        Raises RefusedError with the device's reason, UsageError where the images are of another model or
        board, DeviceError.
        """
        self._unlock()
        if self._spec.images and self._device.model().sha256 != model_sha256:
            if self._is_on_trial():
                self._device.revert()  # it failed the check of whom it was for
            if self._device.model().sha256 != model_sha256:
                offered = _of(self._spec, model_sha256)
                restart(self._device, update(self._device, offered, confirm=False))
        self._unlock()  # the restart has locked it

    def keep(self) -> None:
        """The model is no longer on trial. Raises DeviceError."""
        if self._spec.images and self._is_on_trial():
            self._device.confirm()

    def close(self) -> None:
        """Locks the line, where the device still answers."""
        if self._key is not None:
            with suppress(DeviceError):
                SmpDevice(SmpClient(self._link, _LOCK_S, tries=2)).lock()

    def _unlock(self) -> None:
        if self._key is not None:
            self._device.unlock(self._key.sign)

    def _is_on_trial(self) -> bool:
        state = self._device.slots()
        return state.active != NO_SLOT and state.slots[state.active].phase == Phase.TRIAL


def _of(spec: MemberSpec, model_sha256: str) -> list[ImageFile]:
    found = images(Path(spec.images))
    if any(image.model_sha256.hex() != model_sha256 for image in found):
        raise UsageError(
            f"{spec.name}: {spec.images} holds images of another model than its bundle",
            "tinyserve sign that bundle into it, and load again",
        )
    return found
