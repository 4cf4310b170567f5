# SPDX-License-Identifier: Apache-2.0
"""Real `pio run` and `pio run -t upload`, offline, on our development platform."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.errors import DeviceError, FitError, ToolError
from tinyserve.firmware.platformio import flash
from tinyserve.firmware.platformio.pio import PLATFORMIO_FILE, Pio
from tinyserve.firmware.platformio.project import render_project


def add_to_ini(directory: Path, line: str) -> None:
    ini = directory / PLATFORMIO_FILE
    ini.write_text(f"{ini.read_text()}{line}\n")


@pytest.mark.parametrize("name", ["nano33", "cortex-m0", "rv32imc"])
def test_a_project_is_built_and_passes_its_check_on_the_emulator(
    name: str, core: Path, tmp_path: Path
) -> None:
    project = render_project(tiny_model(), boards.load(name), tmp_path, emulate=True)
    lines = flash.run_on_emulator(project, Pio(core))
    assert any("m-ready" in line for line in lines)
    assert f"model 5f5f5f5f5f5f, engine aot, board {name}" in lines
    assert any("instructions, twice the same output" in line for line in lines)


@pytest.mark.parametrize("compiler", ["zig", "gcc"])
def test_the_compiler_can_be_chosen_and_the_linker_script_counts(
    compiler: str, core: Path, tmp_path: Path
) -> None:
    if compiler == "gcc" and not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("arm-none-eabi-gcc is not installed")
    render_project(tiny_model(), boards.load("cortex-m4"), tmp_path)
    add_to_ini(tmp_path, f"board_build.compiler = {compiler}")
    pio = Pio(core)
    assert pio.run("run", directory=tmp_path, timeout_s=120).status == 0
    elf = tmp_path / ".pio" / "build" / "cortex-m4" / "firmware.elf"
    before = elf.read_bytes()
    script = tmp_path / "board.ld"
    script.write_text(script.read_text().replace("4096", "8192"))
    assert pio.run("run", directory=tmp_path, timeout_s=120).status == 0
    assert elf.read_bytes() != before
    assert (b"clang" in before.lower()) == (compiler == "zig")


def test_too_large_a_model_is_said_with_boards_that_it_fits(core: Path, tmp_path: Path) -> None:
    project = render_project(tiny_model(arena_bytes=300_000), boards.load("nano33"), tmp_path, emulate=True)
    with pytest.raises(FitError, match=r"tiny does not fit nano33: RAM is [\d,]+ bytes over") as caught:
        flash.run_on_emulator(project, Pio(core))
    assert "a board that it fits: " in caught.value.hint


def test_a_compile_error_is_shown(core: Path, tmp_path: Path) -> None:
    project = render_project(tiny_model(), boards.load("cortex-m4"), tmp_path)
    (tmp_path / "src" / "extra.c").write_text("int broken = ;\n")
    with pytest.raises(ToolError, match=r"extra\.c:1"):
        flash.run_on_emulator(project, Pio(core))


def test_a_firmware_that_crashes_fails_the_upload(core: Path, tmp_path: Path) -> None:
    project = render_project(tiny_model(), boards.load("cortex-m4"), tmp_path)
    model = tmp_path / "src" / "model" / "tiny.c"
    model.write_text(model.read_text().replace("layer_sum(); layer_count();", "__builtin_trap();"))
    with pytest.raises(DeviceError, match="ts_tiny_invoke"):
        flash.run_on_emulator(project, Pio(core))
