# SPDX-License-Identifier: Apache-2.0
"""Boards on Arduino's mbed core, whose builder appends -mfloat-abi=soft: built by the real PlatformIO with a
stand-in of that builder and the real compiler, with the flags that reach it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.platformio.test_real_board import mark_installed
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards
from tinyserve.compiler.compile import compile_model
from tinyserve.firmware.platformio import core as cores
from tinyserve.firmware.platformio.pio import Pio
from tinyserve.firmware.platformio.project import render_project
from tinyserve.workflow import target

HERE = Path(__file__).parent
FRAMEWORK = "framework-arduino-mbed"
BUILDER = """
from SCons.Script import Default, DefaultEnvironment

env = DefaultEnvironment()
env.Replace(CC="arm-none-eabi-gcc", CXX="arm-none-eabi-g++", AR="arm-none-eabi-ar",
            RANLIB="arm-none-eabi-ranlib", LINKCOM="touch $TARGET", PROGNAME="firmware", PROGSUFFIX=".elf")
env.Append(CXXFLAGS=["-fno-exceptions", "-fno-threadsafe-statics"])
Default([env.BuildProgram()])
"""
# As arduino-core-mbed.py appends a variant's flags, after the user's: machine flags to the assembler, too.
FRAMEWORK_BUILDER = """
from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
machine = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"]
env.Append(ASFLAGS=machine, ASPPFLAGS=["-x", "assembler-with-cpp"], CCFLAGS=machine, LINKFLAGS=machine,
           CPPPATH=[env.PioPlatform().get_package_dir("framework-arduino-mbed")])
"""


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A core directory with a stand-in of nordicnrf52 and of its mbed framework."""
    core = tmp_path / "core"
    cores.provision(core)
    platform = core / "platforms" / "nordicnrf52"
    (platform / "builder").mkdir(parents=True)
    (platform / "boards").mkdir()
    manifest = {
        "name": "nordicnrf52",
        "title": "Stand-in",
        "version": "1.0.0",
        "engines": {"platformio": ">=6"},
        "frameworks": {"arduino": {"package": FRAMEWORK, "script": "builder/mbed.py"}},
        "packages": {FRAMEWORK: {"type": "framework", "optional": True, "version": "*"}},
    }
    (platform / "platform.json").write_text(json.dumps(manifest))
    (platform / "builder" / "main.py").write_text(BUILDER)
    (platform / "builder" / "mbed.py").write_text(FRAMEWORK_BUILDER)
    board = {
        "name": "Stand-in",
        "vendor": "nobody",
        "url": "https://example.org",
        "frameworks": ["arduino"],
        "build": {"mcu": "nrf52840", "f_cpu": "64000000L"},
        "upload": {"maximum_size": 983040, "maximum_ram_size": 262144},
    }
    (platform / "boards" / "nano33ble.json").write_text(json.dumps(board))
    mark_installed(platform, "platform")
    framework = core / "packages" / FRAMEWORK
    shutil.copytree(HERE.parent / "arduino_stub", framework)
    (framework / "package.json").write_text(f'{{"name": "{FRAMEWORK}", "version": "1.0.0"}}')
    mark_installed(framework, "tool")
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    return core


def float_model() -> bytes:
    """A fully connected layer in float32, which takes an assembly kernel on an FPU."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 16), "float32")
    weights = graph.constant(np.linspace(-1, 1, 8 * 16).reshape(8, 16).astype(np.float32))
    bias = graph.constant(np.zeros(8, np.float32))
    y = graph.tensor((1, 8), "float32")
    graph.op("FULLY_CONNECTED", [x, weights, bias], [y])
    graph.output(y)
    return model.build()


@pytest.mark.skipif(not shutil.which("arm-none-eabi-g++"), reason="needs arm-none-eabi-gcc")
def test_a_float_model_builds_with_the_fpu_and_the_soft_calling_convention(
    core: Path, tmp_path: Path
) -> None:
    board = boards.load("nano33")
    compiled = compile_model(float_model(), target(board, "balanced"), "model")
    assert any(name.endswith("fpu/fully_connected.S") for name in compiled.sources.compile)
    project = render_project(compiled, board, tmp_path / "project")
    done = Pio(core).run("run", directory=project.directory, timeout_s=120)
    assert done.status == 0, done.output
    objects = sorted((project.directory / ".pio").rglob("*.o"))
    assert any("model" in path.name for path in objects)
    for path in objects:
        shown = subprocess.run(
            ["arm-none-eabi-readelf", "-A", path], capture_output=True, text=True, timeout=30, check=True
        ).stdout
        assert "Tag_ABI_VFP_args" not in shown, f"{path.name} can't be linked with mbed's own library"
    (kernel,) = [path for path in objects if path.name.startswith("fully_connected.S")]
    dump = ["arm-none-eabi-objdump", "-d", kernel]
    code = subprocess.run(dump, capture_output=True, text=True, timeout=30, check=True).stdout
    assert "vmul.f32" in code


@pytest.mark.parametrize(
    "board", [one for one in boards.all_boards() if "softfp" in str(one.platformio)], ids=lambda one: one.id
)
def test_every_mbed_board_with_an_fpu_keeps_it(board: boards.Board, tmp_path: Path) -> None:
    render_project(compile_model(float_model()), board, tmp_path)
    lines = [line.strip() for line in (tmp_path / "platformio.ini").read_text().splitlines()]
    unflags, flags = lines.index("build_unflags ="), lines.index("build_flags =")
    assert unflags < lines.index("-mfloat-abi=soft") < flags < lines.index("-mfloat-abi=softfp")
    fpu = "-mfpu=fpv5-d16" if board.core.name == "cortex-m7" else "-mfpu=fpv4-sp-d16"
    assert lines.index(fpu) > flags
