# SPDX-License-Identifier: Apache-2.0
"""Where an inference's instructions go: per layer on any device, per function in Unicorn, in QEMU and on this
computer (where layers are times without valgrind)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tinyserve.bench.counts.layers import layers_of
from tinyserve.bench.result import Layer, ModelIdentity, Setup
from tinyserve.bench.setup import model_identity, setup_of
from tinyserve.bundle import Bundle
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.emit.kernel_files import unversioned
from tinyserve.compiler.emit.sharing import sharing
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.devices.client.answers import LayerTicks
from tinyserve.devices.demangle import demangled
from tinyserve.devices.device import Device
from tinyserve.errors import ToolError
from tinyserve.firmware.build import Firmware
from tinyserve.progress import Progress

HOST_INSTRUCTIONS = "host instructions"
"""The unit on this computer: another instruction set than the board's, and no measure of latency."""


class FunctionCount(msgspec.Struct, frozen=True):
    """Instructions that a function itself executed in one inference (those that it called not included)."""

    name: str
    instructions: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One inference taken apart. ``total`` is the inference as a whole, in ``unit``. The layers (run one by
    one) and the functions (counted within the invoke) sum up to it, up to a few instructions of the calls.

    A kernel that the compiler inlined counts as the function that it went into, mostly the layer's.
    ``layers`` is empty for the interpreter, which runs the model as a whole. ``functions`` is empty where the
    device counts none; ``note`` says why.
    """

    model: ModelIdentity
    setup: Setup
    unit: str
    total: int
    layers: list[Layer]
    functions: list[FunctionCount]
    note: str = ""


def run(bundle: Bundle, firmware: Firmware, emulator: str, optimize: str, progress: Progress) -> Profile:
    """Profiles the inference of the first held-out sample. Raises DeviceError."""
    compiled, board = firmware.project.compiled, firmware.project.board
    samples = bundle.samples()
    invoke = f"ts_{compiled.name}_invoke"
    with open_device(firmware, board, emulator=emulator, counted=invoke) as device:
        client = Client(device.link)
        client.expect_model(bundle.manifest.model_sha256)
        progress("profiling")
        for index, array in enumerate(samples.inputs):
            client.load(array[0].tobytes(), index)
        (total,) = client.infer(1, 1)
        functions, note = _functions(device, emulator if compiled.program.fed_rows is not None else "")
        ticks = client.profile()
        unit = device.tick_unit or client.identify().tick_unit
        counts = device.layer_counts(_layer_functions(compiled, [layer.name for layer in ticks]))
    if counts is not None:
        total = sum(one.instructions for one in functions)
        unit = HOST_INSTRUCTIONS
        ticks = [LayerTicks(old.index, old.name, new) for old, new in zip(ticks, counts, strict=True)]
    return Profile(
        model=model_identity(bundle, compiled),
        setup=setup_of(firmware, board, emulator, optimize, 0),
        unit=unit,
        total=total,
        layers=layers_of(compiled, ticks),
        functions=functions,
        note=note,
    )


def _layer_functions(compiled: Compiled, names: Sequence[str]) -> list[str]:
    """Of each layer the function that it is: layers that do the same with the same bytes are one."""
    calls = compiled.program.calls
    shared, own = sharing(compiled.program, compiled.plan), dict(zip(calls, names, strict=True))
    return [own[shared.function(call)] for call in calls]


def _functions(device: Device, feeding: str) -> tuple[list[FunctionCount], str]:
    """The functions of the last inference, or none and the reason. ``feeding``: the emulator, where the input
    is fed by rows."""
    if feeding not in ("", "unicorn"):
        return [], f"{feeding} counts the functions of one call, and an input that is fed by rows takes many"
    try:
        counts = demangled(device.function_counts())
    except ToolError as error:
        return [], str(error)
    return [FunctionCount(unversioned(name), count) for name, count in counts.items() if count], ""
