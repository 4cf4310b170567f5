# SPDX-License-Identifier: Apache-2.0
"""What a contribution has to pass, held by the boards that come with the package and shown by the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyserve import boards
from tinyserve.boards.check import findings
from tinyserve.cli.main import main
from tinyserve.resources import data_directory

NANO33 = (
    (data_directory("boards") / "nano33.toml")
    .read_text(encoding="utf-8")
    .replace('aliases = ["nano33ble", "nano-33-ble"]', 'aliases = ["desk"]')
)


@pytest.mark.parametrize("name", [board.id for board in boards.all_boards()])
def test_every_board_has_two_documents_per_fact_and_a_way_to_it(name: str) -> None:
    assert findings(boards.load(name)) == []


PIO = '"PlatformIO nordicnrf52, boards/nano33ble.json"'
ROUTE = NANO33[NANO33.index("[platformio]") : NANO33.index("\n[power]")]


def lacking(directory: Path, old: str, new: str) -> list[str]:
    """What a changed copy of a complete file lacks."""
    assert old in NANO33
    path = directory / "mine.toml"
    path.write_text(NANO33.replace(old, new), encoding="utf-8")
    return findings(boards.load_file(path))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f"  {PIO},\n", "", "sources.clock: 1 of 2"),
        (PIO, '"ArduinoCore-mbed, boards.txt: nano33ble"', "sources.usb: 1 of 2"),
        ('kind = "sram"\n', "", "ram.kind"),
        ("pid = 0x805a\n", 'pid = 0x805a\nrole = "silent"\n', "no port can be found"),
        ("pid = 0x005a", "pid = 0x805a", "2341:805a has two roles"),
        (ROUTE, '[platformio]\nplatform = "x"\nboard = "y"\n', ""),
        (ROUTE, '[[memory]]\nname = "x"\nkind = "sram"\norigin = 0x20000000\nbytes = 4\n', "overlaps"),
        (ROUTE, "", "PlatformIO does not build for it"),
        ('["desk"]', '["Nano33BLE"]', "aliases: Nano33BLE is a name of nano33"),
        ('["desk"]', '["pico"]', "aliases: pico is a name of pico"),
        ('["desk"]', '[" "]', "aliases: one is empty"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = "\n".join(lacking(tmp_path, old, new))
    assert said in found
    assert bool(found) == bool(said)


def test_the_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(NANO33, encoding="utf-8")
    assert main(["boards", "--check", str(path)]) == 0
    assert "complete" in capsys.readouterr().out
    path.write_text(NANO33.replace('kind = "sram"\n', ""), encoding="utf-8")
    assert main(["boards", "--check", str(path)]) == 2
    assert "ram.kind" in capsys.readouterr().err


def test_a_real_board_without_platformio_names_its_export(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flash", "nothing.tflite", "--board", "nrf5340-dk"]) == 2
    assert "tinyserve export --as zephyr" in capsys.readouterr().err


def test_teensy_s_weights_cost_ram(tmp_path: Path) -> None:
    """Its linker script copies constants beside the data, and code in banks of 32 KB."""
    from tinyserve.boards.fit import Demand, fit, ram_on

    teensy, nucleo = boards.load("teensy41"), boards.load("nucleo-h743zi")
    needs = Demand(flash_bytes=428_000, ram_bytes=100_000, constant_bytes=400_000)
    assert ram_on(needs, nucleo) == 100_000
    assert ram_on(needs, teensy) == 100_000 + 400_000 + 32_768
    assert (fit(needs, nucleo), fit(needs, teensy)) == ("fits", "too large")


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("nucleo-h743zi", {"clock_hz": 480_000_000}),
        ("pico", {"clock_hz": 125_000_000}),
        ("nicla-vision", {"mcu": "STM32H757AII6"}),
    ],
)
def test_facts_that_were_wrong_once(name: str, facts: dict[str, object]) -> None:
    board = boards.load(name)
    assert {key: getattr(board, key) for key in facts} == facts


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("feather-m4", {(0x239A, 0x8031), (0x239A, 0x8022)}),
        ("pico2", {(0x2E8A, 0x000F)}),
        ("xiao-esp32s3", {(0x303A, 0x1001)}),
        ("esp32-c3", {(0x10C4, 0xEA60), (0x1A86, 0x55D3)}),
        ("nucleo-h743zi2", {(0x0483, 0x374E)}),
        ("bluepill", set()),
    ],
)
def test_application_ids(name: str, ids: set[tuple[int, int]]) -> None:
    assert {(usb.vid, usb.pid) for usb in boards.load(name).usb if usb.role == "application"} == ids


def test_esp32_programs_have_a_partition_and_not_the_chip() -> None:
    flash = boards.load("esp32dev").flash
    assert flash is not None
    assert (flash.bytes, flash.kind) == (1_310_720, "app-partition")
