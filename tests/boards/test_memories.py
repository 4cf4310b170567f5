# SPDX-License-Identifier: Apache-2.0
"""What a board file says of its memories, and what the planner is given of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tinyserve import boards
from tinyserve.boards.memories import WORD_CYCLES, memories_of, section_of, word_cycles
from tinyserve.compiler.program import ONE_MEMORY
from tinyserve.errors import UsageError
from tinyserve.workflow import Build, product_target

BOARD = """
name = "A board"
vendor = "nobody"
mcu = "none"
core = "cortex-m7"
clock_hz = 100_000_000
emulators = [{ kind = "unicorn" }]
sources = ["made up"]

[flash]
origin = 0x08000000
bytes = 1_048_576
kind = "flash"

[ram]
origin = 0x24000000
bytes = 524_288
kind = "axi-sram"

[[memory]]
name = "dtcm"
kind = "dtcm"
origin = 0x20000000
bytes = 131_072
"""


def load(directory: Path, more: str) -> boards.Board:
    path = directory / "one.toml"
    path.write_text(BOARD + more)
    return boards.load_file(path)


def test_a_memory_that_nothing_may_lie_in_is_not_used(tmp_path: Path) -> None:
    assert memories_of(load(tmp_path, "")) == ONE_MEMORY
    assert memories_of(None) == ONE_MEMORY


def test_arenas_are_given_the_default_memory_first_and_the_stack_is_left_out(tmp_path: Path) -> None:
    board = load(tmp_path, 'holds = ["arena"]\n')
    ram, dtcm = memories_of(board).arena
    assert board.ram is not None
    assert (ram.name, ram.section, ram.word_cycles) == ("ram", "", WORD_CYCLES["axi-sram"])
    assert board.ram.bytes - 8192 < ram.nbytes < board.ram.bytes
    assert (dtcm.name, dtcm.section, dtcm.nbytes) == ("dtcm", ".tinyserve_dtcm", 131_072)


def test_the_files_own_figures_and_sections_count(tmp_path: Path) -> None:
    board = load(tmp_path, 'holds = ["arena"]\nword_cycles = 2.5\nsection = ".dtcm_bss"\n')
    assert word_cycles(board.memory[0]) == 2.5 and section_of(board.memory[0]) == ".dtcm_bss"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('holds = ["stack"]\n', "holds"),
        ("word_cycles = -1\n", "word_cycles"),
        ("word_cycles = 1e9\n", "word_cycles"),
        ('section = "} > FLASH"\n', "section"),
        ('section = ".a(b)"\n', "section"),
        ("enable = [[2, 1]]\n", "enable"),
        ("enable = [[0x580244dc, 0]]\n", "enable"),
        ('[[memory]]\nname = "dtcm"\nkind = "sram"\norigin = 0x30000000\nbytes = 1024\n', "two of this name"),
        ('[[memory]]\nname = "a b"\nkind = "sram"\norigin = 0x30000000\nbytes = 1024\n', "memory.name"),
        ('[[memory]]\nname = "ram"\nkind = "sram"\norigin = 0x30000000\nbytes = 1024\n', "memory.name"),
    ],
)
def test_what_no_linker_could_take_is_refused_with_its_key(tmp_path: Path, more: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load(tmp_path, more)


@pytest.mark.parametrize(
    "name", ["nucleo-h743zi", "nucleo-h743zi2", "portenta-h7", "nicla-vision", "giga-r1"]
)
def test_boards_with_tightly_coupled_memory_offer_it_to_arenas(name: str) -> None:
    board = boards.load(name)
    offered = {memory.name: memory for memory in memories_of(board).arena}
    assert {"ram", "dtcm", "sram-d2"} <= offered.keys()
    assert offered["dtcm"].word_cycles < offered["ram"].word_cycles < offered["sram-d2"].word_cycles


def test_a_teensys_constants_stay_in_flash_where_ram_has_no_room() -> None:
    ram, flash = memories_of(boards.load("teensy41")).weights
    assert (ram.name, flash.section) == ("ram", ".progmem") and ram.word_cycles < flash.word_cycles


def test_code_that_others_link_has_one_arena() -> None:
    board = boards.load("nucleo-h743zi2")
    assert len(Build().target(board).memories.arena) == 4
    assert Build(is_exported=True).target(board).memories == ONE_MEMORY
    assert product_target(board, "balanced").features == Build().target(board).features


def test_psram_is_for_arenas_that_ram_has_no_room_for() -> None:
    """Where the vendor's linker script has a section for it: the ESP32s' PSRAM is a heap."""
    ram, psram = memories_of(boards.load("pico-plus-2")).arena
    assert psram.section == ".psram" and psram.nbytes > 8_000_000
    assert psram.word_cycles > ram.word_cycles
    assert memories_of(boards.load("xiao-esp32s3")) == ONE_MEMORY


def test_memories_of_one_board_do_not_overlap() -> None:
    for board in boards.all_boards():
        spans = sorted((one.origin, one.origin + one.bytes) for one in board.memory if one.holds)
        if board.ram is not None:
            spans = sorted([*spans, (board.ram.origin, board.ram.origin + board.ram.bytes)])
        assert all(end <= start for (_, end), (start, _) in pairwise(spans)), board.id
