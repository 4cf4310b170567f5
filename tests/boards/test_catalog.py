# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from tinyserve import boards
from tinyserve.boards.catalog import cores
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.resources import data_directory

NANO33 = data_directory("boards") / "nano33.toml"


def _changed(directory: Path, old: str, new: str, name: str = "mine.toml") -> Path:
    text = NANO33.read_text(encoding="utf-8")
    assert old in text
    path = directory / name
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_every_board_file_loads_and_its_id_is_the_files_stem() -> None:
    stems = {path.stem for path in data_directory("boards").glob("*.toml")} - {"cores"}
    assert {board.id for board in boards.all_boards()} == stems


def test_the_list_has_the_boards_that_people_have() -> None:
    known = boards.all_boards()
    assert len(known) >= 55
    assert len([board for board in known if board.platformio is not None]) >= 35


def test_every_core_is_used_or_at_least_known_with_consistent_fields() -> None:
    for core in cores().values():
        assert bool(core.zig_target) == bool(core.zig_cpu) == bool(core.gcc_flags), core.name
        assert (core.port in ("cortex_m", "riscv")) == (core.registers is not None), core.name


def test_a_board_is_found_by_id_and_by_alias_whatever_the_case() -> None:
    assert boards.load("nano33").mcu == "nRF52840"
    assert boards.load("Nano33BLE").id == "nano33"
    assert boards.load("m4").id == "cortex-m4"


def test_an_unknown_board_is_an_error_with_the_nearest_names() -> None:
    with pytest.raises(UsageError) as caught:
        boards.load("cortexm4")
    assert 'unknown board "cortexm4"' in caught.value.message
    assert "cortex-m4" in caught.value.hint


def test_a_path_to_a_toml_file_loads_a_board_of_ones_own(tmp_path: Path) -> None:
    path = _changed(tmp_path, "Arduino Nano 33 BLE", "My board")
    board = boards.load(str(path))
    assert (board.id, board.name) == ("mine", "My board")


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ("clock_hz = 64_000_000", "", "clock_hz", "missing"),
        ("clock_hz = 64_000_000", 'clock_hz = "fast"', "clock_hz", "Expected `int`"),
        ("clock_hz = 64_000_000", "clock_hz = 0", "clock_hz", "is not from"),
        ("bytes = 983_040", 'bytes = "960K"', "flash.bytes", "Expected `int`"),
        ("bytes = 983_040", "bytes = 0", "flash", "is not from"),
        ("bytes = 983_040", "bytes = 983_041", "flash", "multiples of 4"),
        ("bytes = 983_040", "bytes = 0x100000000", "flash", "32-bit"),
        ("origin = 0x20000000", "origin = 0x00020000", "ram", "overlaps"),
        ('core = "cortex-m4"', 'core = "cortex-m5"', "core", "none of"),
        ('core = "cortex-m4"', 'core = "cortex-m55"', "emulators", "Unicorn has no"),
        ('core = "cortex-m4"', 'core = "cortex-m4"\nid = "x"', "id", "file's name"),
        ('core = "cortex-m4"', 'core = "cortex-m4"\ncolour = "red"', "colour", "unknown field"),
        ('kind = "unicorn"', 'kind = "simics"', "emulators", "Invalid enum value"),
        ('kind = "unicorn"', 'kind = "qemu"', "emulators", "machine"),
        ('pid = 0x805a', 'pid = "805a"', "usb", "Expected `int`"),
        ('kind = "sram"', 'kind = "ram"', "ram.kind", "Invalid enum value"),
        ('role = "bootloader"', 'role = "boot"', "usb", "Invalid enum value"),
        ('= "nano33ble"', '= "nano33ble"\nwhole = ["rom"]', "platformio.whole", "Invalid enum value"),
        ('= "nano33ble"', '= "nano33ble"\nframework = "espidf"', "platformio.framework", "Arduino"),
    ],
)  # fmt: skip
def test_a_bad_file_is_an_error_that_names_file_key_and_reason(
    tmp_path: Path, old: str, new: str, key: str, reason: str
) -> None:
    path = _changed(tmp_path, old, new)
    with pytest.raises(UsageError) as caught:
        boards.load_file(path)
    message = caught.value.message
    assert message.startswith(f"{path}: ")
    assert key in message.split(": ")[1]
    assert reason in message


def test_no_sources_is_an_error(tmp_path: Path) -> None:
    text = NANO33.read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text[: text.index("[sources]")] + "[sources]\n", encoding="utf-8")
    with pytest.raises(UsageError, match="sources: name at least one"):
        boards.load_file(path)


def test_broken_toml_is_an_error_with_the_line(tmp_path: Path) -> None:
    path = _changed(tmp_path, 'vendor = "Arduino"', 'vendor = "Arduino')
    with pytest.raises(UsageError, match=r"not valid TOML: .*line 3"):
        boards.load_file(path)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not valid TOML"):
        boards.load_file(path)


def test_a_missing_file_is_a_file_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match=r"nothing\.toml"):
        boards.load_file(tmp_path / "nothing.toml")


def test_names_are_unique_over_all_boards() -> None:
    names = [name for board in boards.all_boards() for name in (board.id, *board.aliases)]
    assert len(names) == len(set(names))
