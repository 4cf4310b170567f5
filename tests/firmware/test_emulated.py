# SPDX-License-Identifier: Apache-2.0
"""The emulated ports run: the same answers on every core, in Unicorn and in QEMU."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.boards.types import Board
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.devices.link import Link
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render

ALL = boards.all_boards()
UNICORN = list({b.core.name: b for b in ALL if any(e.kind == "unicorn" for e in b.emulators)}.values())
QEMU = [board for board in ALL if any(e.kind == "qemu" for e in board.emulators)]


def _infer(board: Board, emulator: str, directory: Path) -> tuple[list[bytes], list[int], list[str]]:
    """Outputs, ticks of three runs, and the profile's layers."""
    firmware = build(render(tiny_model(), board, directory, emulate=True))
    with open_device(SimpleNamespace(elf=firmware.elf), board, emulator) as device:
        client = Client(device.link)
        info = client.identify()
        assert (info.board, info.core, info.tick_unit) == (board.id, board.core.name, "instructions")
        client.load(bytes([1, 2, 3, 4, 5, 6, 7, 8]), 0)
        client.load(bytes([0, 0xFF, 0, 1]), 1)
        ticks = [int(t) for t in client.infer(3, 1)]
        outputs = [bytes(output) for output in client.outputs()]
        return outputs, ticks, [layer.name for layer in client.profile()]


@pytest.mark.parametrize("board", UNICORN, ids=lambda board: board.core.name)
def test_the_tiny_model_runs_on_every_core_in_unicorn(board: Board, tmp_path: Path) -> None:
    outputs, ticks, layers = _infer(board, "unicorn", tmp_path)
    assert outputs == [bytes([6, 8, 12, 16]), bytes([4, 0, 0, 0])]
    assert len(set(ticks)) == 1 and 20 < ticks[0] < 300
    assert layers == ["sum", "count"]


@pytest.mark.parametrize("board", QEMU, ids=lambda board: board.id)
def test_the_tiny_model_runs_in_qemu(board: Board, tmp_path: Path) -> None:
    if shutil.which("qemu-system-riscv32" if board.core.port == "riscv" else "qemu-system-arm") is None:
        pytest.skip("needs QEMU")
    outputs, ticks, layers = _infer(board, "qemu", tmp_path)
    assert outputs == [bytes([6, 8, 12, 16]), bytes([4, 0, 0, 0])]
    assert len(set(ticks)) == 1 and 20 < ticks[0] < 300
    assert layers == ["sum", "count"]


@pytest.mark.parametrize("name", ["cortex-m3", "cortex-m4", "cortex-m7", "rv32imc"])
def test_unicorn_and_qemu_count_the_same_instructions(name: str, tmp_path: Path) -> None:
    if shutil.which("qemu-system-riscv32") is None or shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU")
    board = boards.load(name)
    assert _infer(board, "unicorn", tmp_path)[:2] == _infer(board, "qemu", tmp_path)[:2]


def _crash(board: Board, emulator: str, directory: Path) -> list[str]:
    """What the device says when the model reads from where nothing is."""
    project = render(tiny_model(), board, directory, emulate=True)
    source = directory / "src" / "model" / "tiny.c"
    wild = "layer_sum(); at(20)[0] = *(volatile int8_t *)0xF0000000u;"
    source.write_text(source.read_text().replace("layer_sum();", wild, 1))
    with open_device(SimpleNamespace(elf=build(project).elf), board, emulator) as device:
        link: Link = device.link
        link.write(b"ts-infer 1 0%")
        lines: list[str] = []
        while not lines or not lines[-1].startswith("e-["):
            lines.append(link.read_line(20))
        return lines


@pytest.mark.parametrize("name", ["mps2-an386", "mps3-an547", "rv32imc"])
def test_a_fault_in_qemu_is_reported_on_the_line(name: str, tmp_path: Path) -> None:
    if shutil.which("qemu-system-riscv32") is None or shutil.which("qemu-system-arm") is None:
        pytest.skip("needs QEMU")
    assert _crash(boards.load(name), "qemu", tmp_path)[-1].startswith("e-[fault pc=0x")
