# SPDX-License-Identifier: Apache-2.0
"""Devices with slots: the model that they are to serve is put on them, and their line is opened."""

from __future__ import annotations

from pathlib import Path

from tinyserve.devices.link import Link
from tinyserve.devices.smp.client import SmpClient
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.errors import UsageError
from tinyserve.serve.config import MemberSpec
from tinyserve.slots import keys
from tinyserve.slots.read import ImageFile
from tinyserve.slots.update import images, update


def prepare(link: Link, spec: MemberSpec, model_sha256: str) -> None:
    """The device serves that model, confirmed, when this returns: it is uploaded where it is not there, if
    ``spec.images`` names it. What it does not take leaves it with the model that it had.

    Raises RefusedError with the device's reason, UsageError where the images are of another model or board,
    DeviceError.
    """
    key = keys.private(Path(spec.line_key)) if spec.line_key else None
    device = SmpDevice(SmpClient(link), key.sign if key is not None else None)
    if key is not None:
        device.unlock(key.sign)
    if spec.images and device.model().sha256 != model_sha256:
        update(device, _of(spec, model_sha256))
    if key is not None:
        device.unlock(key.sign)  # the restart has locked it


def _of(spec: MemberSpec, model_sha256: str) -> list[ImageFile]:
    found = images(Path(spec.images))
    if any(image.model_sha256.hex() != model_sha256 for image in found):
        raise UsageError(
            f"{spec.name}: {spec.images} holds images of another model than its bundle",
            "tinyserve sign that bundle into it, and load again",
        )
    return found
