# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import configparser
import errno
from pathlib import Path

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.boards.types import Board
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.firmware.render import port_of, render

ALL = {board.id: board for board in boards.all_boards()}
REAL = [board for board in ALL.values() if board.platformio is not None]
EMULATED = [board for board in ALL.values() if board.core.port]


def _texts(directory: Path) -> dict[str, str]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@pytest.mark.parametrize("board", EMULATED, ids=lambda board: board.id)
def test_every_board_with_an_emulated_port_renders_as_a_twin(board: Board, tmp_path: Path) -> None:
    project = render(tiny_model(), board, tmp_path, emulate=True)
    texts = _texts(tmp_path)
    assert not [name for name, text in texts.items() if "{{ " in text or "{%" in text]
    assert f'#define CONFIG_BOARD "{board.id}"' in texts["src/config.h"]
    assert {source.path for source in project.sources} <= texts.keys()
    if board.flash and board.core.port != "host":
        assert f"LENGTH = {board.flash.bytes}" in texts["board.ld"]


@pytest.mark.parametrize("board", REAL, ids=lambda board: board.id)
def test_every_real_board_renders_as_an_arduino_project(board: Board, tmp_path: Path) -> None:
    project = render(tiny_model(), board, tmp_path)
    assert project.port == "arduino"
    assert board.platformio is not None
    ini = configparser.ConfigParser()
    ini.read(tmp_path / "platformio.ini")
    section = ini[f"env:{board.id}"]
    assert (section["platform"], section["board"]) == (board.platformio.platform, board.platformio.board)
    assert section["test_framework"] == "custom"
    assert "-DTS_TINY_PROFILE=1" in section["build_flags"].split()
    assert (tmp_path / "src" / "main.cpp").is_file()
    assert not (tmp_path / "src" / "main.c").exists()


def test_a_region_of_which_platformio_knows_a_part_is_stated_whole(tmp_path: Path) -> None:
    for name, option in [("nucleo-g0b1re", "maximum_size"), ("b-u585i-iot02a", "maximum_ram_size")]:
        board = ALL[name]
        render(tiny_model(), board, tmp_path / name)
        ini = configparser.ConfigParser()
        ini.read(tmp_path / name / "platformio.ini")
        stated = {key: value for key, value in ini[f"env:{name}"].items() if key.startswith("board_upload.")}
        region = board.flash if option == "maximum_size" else board.ram
        assert region is not None
        assert stated == {f"board_upload.{option}": str(region.bytes)}


def test_boards_without_platformio_are_always_emulated_and_real_ones_on_request() -> None:
    assert port_of(ALL["cortex-m4"], emulate=False) == "cortex_m"
    assert port_of(ALL["nano33"], emulate=False) == "arduino"
    assert port_of(ALL["nano33"], emulate=True) == "cortex_m"
    assert port_of(ALL["esp32-c3"], emulate=True) == "riscv"
    assert port_of(ALL["host"], emulate=True) == "host"


def test_an_xtensa_board_has_no_twin() -> None:
    with pytest.raises(UsageError, match="can't be emulated"):
        port_of(ALL["esp32dev"], emulate=True)


def test_ticks_are_cycles_where_the_core_counts_them_and_microseconds_elsewhere(tmp_path: Path) -> None:
    expected = {"nano33": ("cycles", 64_000_000), "pico": ("us", 1_000_000), "esp32dev": ("us", 1_000_000)}
    for name, (unit, hz) in expected.items():
        render(tiny_model(), ALL[name], tmp_path / name)
        config = (tmp_path / name / "src" / "config.h").read_text()
        assert f'#define CONFIG_TICK_UNIT "{unit}"' in config
        assert f"#define CONFIG_TICK_HZ {hz}u" in config
        assert ("CONFIG_HAS_CYCCNT" in config) == (unit == "cycles")


def test_rendering_again_touches_no_file_that_did_not_change(tmp_path: Path) -> None:
    render(tiny_model(), ALL["cortex-m4"], tmp_path)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "src").rglob("*.c")}
    render(tiny_model(arena_bytes=64), ALL["cortex-m4"], tmp_path)
    changed = {path.name for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert changed == {"tiny.c"}


def test_rendering_removes_what_an_earlier_rendering_left_and_nothing_else(tmp_path: Path) -> None:
    render(tiny_model(), ALL["nano33"], tmp_path, emulate=True)
    (tmp_path / "src" / "notes.txt").write_text("mine")
    render(tiny_model(), ALL["nano33"], tmp_path)
    assert not (tmp_path / "src" / "startup.c").exists()
    assert not (tmp_path / "board.ld").exists()
    assert (tmp_path / "src" / "notes.txt").read_text() == "mine"


def test_files_that_it_did_not_render_are_never_overwritten(tmp_path: Path) -> None:
    own = tmp_path / "src" / "main.c"
    own.parent.mkdir()
    own.write_text("mine")
    with pytest.raises(FileSystemError, match=r"main\.c is in the way"):
        render(tiny_model(), ALL["cortex-m4"], tmp_path)
    assert own.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [own.parent]


def test_a_rendering_that_broke_off_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.write_bytes

    def disk_is_full(path: Path, data: bytes) -> int:
        if path.name == "port.c":
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", disk_is_full)
        with pytest.raises(FileSystemError, match="No space left"):
            render(tiny_model(), ALL["cortex-m4"], tmp_path)
    assert (tmp_path / "src" / "config.h").exists()
    render(tiny_model(), ALL["cortex-m4"], tmp_path)
    assert (tmp_path / "src" / "port.c").exists()


def test_a_list_of_rendered_files_cannot_make_it_delete_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep")
    project = tmp_path / "project"
    render(tiny_model(), ALL["cortex-m4"], project)
    (project / ".rendered").write_text("../victim\n")
    render(tiny_model(), ALL["cortex-m4"], project)
    assert victim.read_text() == "keep"


def test_small_boards_get_a_small_stack_unless_told_otherwise(tmp_path: Path) -> None:
    small = ALL["bluepill"]
    assert render(tiny_model(), ALL["cortex-m4"], tmp_path / "a").stack_bytes == 4096
    assert render(tiny_model(), small, tmp_path / "b", emulate=True).stack_bytes == 2560
    assert render(tiny_model(), small, tmp_path / "c", emulate=True, stack_bytes=512).stack_bytes == 512


def test_a_file_in_the_way_is_a_file_system_error(tmp_path: Path) -> None:
    (tmp_path / "src").write_text("in the way")
    with pytest.raises(FileSystemError, match="cannot write the firmware project"):
        render(tiny_model(), ALL["cortex-m4"], tmp_path)


def test_the_scale_of_an_output_is_rendered_without_loss(tmp_path: Path) -> None:
    render(tiny_model(), ALL["host"], tmp_path)
    table = (tmp_path / "src" / "model_io.c").read_text()
    assert (
        "{4u, 1u, ELEMENT_SIGNED, 4u, -128, 8388608u, -31}, /* sum: int8(1, 4) */" in table
    )  # 2^23 * 2^-31 = 2^-8
    assert "{4u, 4u, ELEMENT_SIGNED, 1u, 0, 1u, 0}, /* count: int32(1,) */" in table
