# SPDX-License-Identifier: Apache-2.0
"""Whether a device still computes what its model computes: the same inputs there and here, byte for byte.

Drift moves inputs and never the arithmetic, so one wrong byte is a fault of flash, RAM, supply or clock.
Inputs come from the host: a device's own never leave it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyserve.bundle import Bundle
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.devices.smp.client import MODEL, SmpError
from tinyserve.devices.smp.commands import SmpDevice
from tinyserve.errors import DeviceError, ModelError, UsageError
from tinyserve.progress import Progress, silent

_ORDER = 5
_SEED = 1


@dataclass(frozen=True)
class Wrong:
    """The first byte of an answer that differs. ``repeats``: the device gave the same answer when it was
    asked again, so something that stays is at fault."""

    sample: int
    output: int
    offset: int
    expected: int
    found: int
    repeats: bool


@dataclass(frozen=True)
class Audit:
    """Of ``tried`` inputs those that the device answered wrong."""

    tried: int
    wrong: tuple[Wrong, ...]

    def check(self) -> None:
        """Raises DeviceError where an answer was wrong."""
        if not self.wrong:
            return
        stays = any(one.repeats for one in self.wrong)
        raise DeviceError(
            f"audit: {len(self.wrong)} of {self.tried} answers are wrong: the hardware is at fault, whatever"
            f" the data are ({'flash or a part that is broken' if stays else 'RAM, supply or clock'})",
            "tinyserve slots, then upload the image again"
            if stays
            else "check supply and clock, then audit again",
        )


def audit(device: SmpDevice, bundle: Bundle, count: int, progress: Progress = silent) -> Audit:
    """Asks the device for ``count`` inputs: the bundle's held-out samples, then random codes.

    Raises UsageError for float32 models, whose bytes differ between cores, and for models with state, which
    the audit would change; ModelError where the device serves another model; DeviceError.
    """
    manifest = bundle.manifest
    if any(info.dtype == "float32" for info in (*manifest.inputs, *manifest.outputs)):
        raise UsageError("--audit: float32 has other bytes on other cores", "convert with --quantize int8")
    served = device.model().sha256
    if served != manifest.model_sha256:
        raise ModelError(
            f"the device serves {served[:16] or 'no model'}, {bundle.path} has {manifest.model_sha256[:16]}",
            "name the bundle that its image was signed from",
        )
    host = HostModel(compile_model(bundle.model_bytes()))
    wrong = []
    for sample, inputs in enumerate(_inputs(bundle, count)):
        progress("auditing", sample, count)
        expected = host.run_bytes(inputs)
        found = _compared(device, sample, inputs, expected)
        if found is not None:
            wrong.append(found)
    return Audit(count, tuple(wrong))


def _inputs(bundle: Bundle, count: int) -> Iterator[list[bytes]]:
    samples = bundle.samples()
    draw = np.random.default_rng(_SEED)
    sizes = [int(np.prod(info.shape)) * np.dtype(info.dtype).itemsize for info in bundle.manifest.inputs]
    for index in range(count):
        if index < len(samples):
            yield [np.ascontiguousarray(array[index]).tobytes() for array in samples.inputs]
        else:
            yield [draw.bytes(size) for size in sizes]


def _compared(device: SmpDevice, sample: int, inputs: list[bytes], expected: list[bytes]) -> Wrong | None:
    answer = _answer(device, inputs, len(expected))
    if answer == expected:
        return None
    again = _answer(device, inputs, len(expected))
    pairs = list(zip(expected, answer, strict=True))
    output = next(index for index, (right, found) in enumerate(pairs) if right != found)
    right, found = pairs[output]
    if len(right) != len(found):
        raise DeviceError(f"output {output} has {len(found)} bytes, the model's {len(right)}", "try again")
    offset = next(at for at, pair in enumerate(zip(right, found, strict=True)) if pair[0] != pair[1])
    return Wrong(sample, output, offset, right[offset], found[offset], again == answer)


def _answer(device: SmpDevice, inputs: list[bytes], outputs: int) -> list[bytes]:
    for index, data in enumerate(inputs):
        device.load(data, index)
    try:
        device.infer(audit=True)
    except SmpError as error:
        if (error.group, error.code) == (MODEL, _ORDER):
            raise UsageError(
                "--audit: the model keeps state, which the inputs of an audit would change",
                "audit a device that was taken out of service, with another model",
            ) from error
        raise
    return [device.output(index) for index in range(outputs)]
