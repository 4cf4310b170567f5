# SPDX-License-Identifier: Apache-2.0
"""A firmware that crashes within a model: the message names the layer and line, on every emulator."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.compiler.compile import Compiled
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import DeviceError
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render


def with_sum_doing(statement: str) -> Compiled:
    """The tiny model whose first layer does ``statement`` first."""
    model = tiny_model()
    source = model.sources.files["tiny.c"]
    assert isinstance(source, str)
    changed = source.replace("layer_sum(void)\n{", "layer_sum(void)\n{\n    " + statement)
    assert changed != source
    model.sources.files["tiny.c"] = changed  # type: ignore[index]
    return model


CASES = [
    ("cortex-m0", "unicorn", "*(volatile int *)at(1) = 1;", "unaligned"),
    ("cortex-m4", "unicorn", "*(volatile int *)0x60000000 = 1;", "wrote 4 bytes at 0x60000000"),
    ("cortex-m4", "unicorn", "*(volatile int *)(uintptr_t)ts_tiny_bias = 1;", "flash, read-only"),
    ("mps2-an385", "qemu", "*(volatile int *)0x60000000 = 1;", "faulted in"),
    ("mps3-an547", "qemu", '__asm volatile("udf #0");', "faulted in"),
    ("rv32imc", "unicorn", "*(volatile int *)0x60000000 = 1;", "wrote 4 bytes at 0x60000000"),
]


@pytest.mark.parametrize(("name", "emulator", "statement", "what"), CASES)
def test_a_crash_in_a_layer_names_it(
    tmp_path: Path, name: str, emulator: str, statement: str, what: str
) -> None:
    if emulator == "qemu" and not shutil.which("qemu-system-arm"):
        pytest.skip("qemu-system-arm is not installed")
    board = boards.load(name)
    firmware = build(render(with_sum_doing(statement), board, tmp_path / "project", emulate=True))
    with open_device(firmware, board, emulator) as device:
        client = Client(device.link)
        client.load(bytes(8), 0)
        client.load(bytes(4), 1)
        with pytest.raises(DeviceError, match=r"(layer_sum|ts_tiny_invoke) \(tiny\.c:\d+\)") as caught:
            client.infer(1)
        assert what in str(caught.value)
