"""Where the time of an inference goes: per layer on any device, per function where blocks are counted."""

from __future__ import annotations

import msgspec

from tinyserve.bench.layers import layers_of
from tinyserve.bench.result import Layer, ModelIdentity, Setup
from tinyserve.bench.setup import model_identity, setup_of
from tinyserve.bundle import Bundle
from tinyserve.devices import open_device
from tinyserve.dut import Client
from tinyserve.firmware.build import Firmware
from tinyserve.progress import Progress


class FunctionCount(msgspec.Struct, frozen=True):
    """Instructions that a function itself executed in one inference (those that it called not included)."""

    name: str
    instructions: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One inference taken apart. ``total`` is the inference as a whole, in ``unit``. The layers are timed one
    by one and the functions counted whole, so that their sums hold the reading of the clock and it does not.
    ``functions`` is empty on devices that count no blocks."""

    model: ModelIdentity
    setup: Setup
    unit: str
    total: int
    layers: list[Layer]
    functions: list[FunctionCount]


def run(bundle: Bundle, firmware: Firmware, emulator: str, optimize: str, progress: Progress) -> Profile:
    """Profiles the inference of the first held sample. Raises DeviceError."""
    compiled, board = firmware.project.compiled, firmware.project.board
    samples = bundle.samples()
    with open_device(firmware, board, emulator=emulator) as device:
        client = Client(device.link)
        client.expect_model(bundle.manifest.model_sha256)
        progress("profiling")
        for index, array in enumerate(samples.inputs):
            client.load(array[0].tobytes(), index)
        (total,) = client.infer(1, 1)
        counts: dict[str, int] = getattr(device, "function_counts", dict)()
        layers = layers_of(compiled, client.profile())
        unit = device.tick_unit or client.identify().tick_unit
    return Profile(
        model=model_identity(bundle, compiled),
        setup=setup_of(firmware, board, emulator, optimize, 0),
        unit=unit,
        total=total,
        layers=layers,
        functions=[FunctionCount(name, count) for name, count in counts.items() if count],
    )
