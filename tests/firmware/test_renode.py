# SPDX-License-Identifier: Apache-2.0
"""Renode's files keep to its syntax and say what the board's file says. Renode itself was not run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.firmware.tiny_model import SHA256, tiny_model
from tinyserve import boards
from tinyserve.boards.types import Board
from tinyserve.firmware.interface import interface_of
from tinyserve.firmware.render import render
from tinyserve.firmware.renode import renode_files

IN_RENODE = [board for board in boards.all_boards() if board.core.renode_cpu]
ENTRY = re.compile(
    r"(?P<name>[a-z_]\w*):(?: (?P<type>[A-Z]\w*\.\w+))?(?: @ (?P<where>none|sysbus(?: \S.*)?))?", re.ASCII
)
PLACE = re.compile(r"sysbus(?: 0x[0-9A-F]+| <0x[0-9A-F]+, \+0x[0-9A-F]+>)?")
VALUE = re.compile(r'0x[0-9A-F]+|[0-9]+|"[^"]+"|[a-z]\w*')
KEYWORDS = (
    "Execute Command", "Create Terminal Tester", "Start Emulation", "Wait For Line On Uart",
    "Write Line To Uart", "Start Firmware",
)  # fmt: skip


def files_of(board: Board) -> dict[str, str]:
    return renode_files(board, interface_of(tiny_model()))


def entries(repl: str) -> dict[str, tuple[str, str, dict[str, str]]]:
    """Name to type, place and attributes. AssertionError for what is no part of a platform description."""
    found: dict[str, tuple[str, str, dict[str, str]]] = {}
    attributes: dict[str, str] = {}
    for number, line in enumerate(repl.splitlines(), 1):
        code = line.split("//")[0].rstrip()
        if code.startswith("    "):
            assert found, f"line {number}: an attribute of nothing: {line}"
            arrow = re.fullmatch(r"-> (\w+)@\d+", code.strip())
            key, _, value = ("->", "", arrow[1]) if arrow else code.strip().partition(": ")
            assert VALUE.fullmatch(value), f"line {number}: {line}"
            assert key not in attributes, f"line {number}: twice: {line}"
            attributes[key] = value
        elif code and not re.fullmatch(r'using "platforms/[\w/.-]+\.repl"', code):
            entry = ENTRY.fullmatch(code)
            assert entry, f"line {number}: {line}"
            where = entry["where"] or ""
            assert where in ("", "none") or PLACE.fullmatch(where), f"line {number}: {line}"
            assert entry["name"] not in found, f"line {number}: twice: {line}"
            attributes = {}
            found[entry["name"]] = (entry["type"] or "", where, attributes)
    return found


@pytest.mark.parametrize("board", IN_RENODE, ids=lambda board: board.id)
def test_the_platform_is_well_formed_and_has_the_twin_s_registers(board: Board) -> None:
    repl = files_of(board)["renode/twin.repl"]
    found = entries(repl)
    assert board.core.registers is not None
    assert f"<0x{board.core.registers.uart:08X}, +0x100>" in found["ts_uart"][1]
    if repl.startswith("// ") and "using" not in repl:
        assert {"cpu", "flash", "ram"} < set(found)
        names = {
            value
            for _, _, attributes in found.values()
            for key, value in attributes.items()
            if key in ("nvic", "->")
        }
        assert names <= set(found)
        assert found["cpu"][2]["cpuType"] == f'"{board.core.renode_cpu}"'


@pytest.mark.parametrize("board", IN_RENODE, ids=lambda board: board.id)
def test_memory_is_the_board_s_in_whole_pages(board: Board) -> None:
    found = entries(files_of(board)["renode/twin.repl"])
    for name, region in (("flash", board.flash), ("ram", board.ram)):
        if name not in found or region is None:
            continue
        start, size = int(found[name][1].split()[1], 16), int(found[name][2]["size"], 16)
        assert start % 4096 == size % 4096 == 0
        assert start <= region.origin and region.origin + region.bytes <= start + size
        assert size < region.bytes + 2 * 4096


def test_renode_s_own_platform_is_used_where_it_has_one() -> None:
    repl = files_of(boards.load("nano33"))["renode/twin.repl"]
    assert 'using "platforms/boards/arduino_nano_33_ble.repl"' in repl
    found = entries(repl)
    assert found["twi1"] == ("", "none", {}) and "flash" not in found
    for name in ("disco-f407vg", "hifive1-revb"):
        assert 'using "platforms/' in files_of(boards.load(name))["renode/twin.repl"]


@pytest.mark.parametrize("board", IN_RENODE, ids=lambda board: board.id)
def test_the_script_and_the_robot_test_are_well_formed(board: Board) -> None:
    files = files_of(board)
    commands = [line for line in files["renode/run.resc"].splitlines() if line and line[0] not in ":#$"]
    vectors = ["sysbus.cpu"] if board.core.port == "cortex_m" else []
    expected = ["mach", "machine", "sysbus", *vectors, "emulation", "connector"]
    assert [command.split()[0] for command in commands] == expected
    robot = files["renode/twin.robot"]
    assert f"ts-info-[model_sha256={SHA256}]" in robot
    steps = [line[4:] for line in robot.splitlines() if line.startswith("    ")]
    assert steps and all(re.split(r" {2,}", step)[0] in KEYWORDS for step in steps)


def test_a_rendered_twin_has_them_and_a_real_board_s_project_has_not(tmp_path: Path) -> None:
    render(tiny_model(), boards.load("nano33"), tmp_path / "twin", emulate=True)
    assert (tmp_path / "twin" / "renode" / "run.resc").is_file()
    render(tiny_model(), boards.load("nano33"), tmp_path / "real")
    assert not (tmp_path / "real" / "renode").exists()
