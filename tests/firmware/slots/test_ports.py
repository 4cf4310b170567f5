# SPDX-License-Identifier: Apache-2.0
"""The ports of real boards: compiled for their cores against headers with the vendors' signatures, and run
here against functions that behave as those do. None of it has run on a board."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.firmware.slots.twin import KEY
from tests.slots.models import classifier
from tests.support.places import CHECKOUT, KERNELS
from tinyserve import boards, workflow
from tinyserve.errors import UsageError
from tinyserve.firmware.process import run_all
from tinyserve.firmware.toolchain import toolchain_for
from tinyserve.slots.body import compile_for_slots
from tinyserve.slots.firmware import Settings, render_slots
from tinyserve.slots.image import key_bytes
from tinyserve.slots.layout import layout_of

TEMPLATES = CHECKOUT / "firmware_templates"
VENDOR = Path(__file__).with_name("vendor")
ARDUINO = Path(__file__).parents[1] / "arduino_stub"
STRICT = ["-Wall", "-Wextra", "-Werror", "-O1", "-g"]
BASE = 0x1008_0000
PORTS = {"mbed": "mbed.cpp", "pico": "rp2.c", "zephyr": "zephyr.c"}
CORES = {
    "mbed": ["nano33", "portenta-h7"],
    "pico": ["pico", "pico2", "pico2-riscv"],
    "zephyr": ["nrf52840-dk", "nucleo-h743zi", "esp32-c3"],
}


def write_config(directory: Path, sector: int = 4096, unit: int = 4) -> None:
    slot = 4 * sector
    figures = {
        "JOURNAL_0": BASE, "JOURNAL_1": BASE + sector, "SLOT_0": BASE + 2 * sector,
        "SLOT_1": BASE + 2 * sector + slot, "SLOT_BYTES": slot, "SECTOR_BYTES": sector, "UNIT_BYTES": unit,
        "TICK_HZ": 64_000_000,
    }  # fmt: skip
    lines = [f"#define CONFIG_{name} {value}u" for name, value in figures.items()]
    lines.append(f"#define CONFIG_KEY {{{','.join(map(str, key_bytes(KEY.public_key())))}}}")
    (directory / "config.h").write_text("\n".join([*lines, ""]), encoding="utf-8")


def includes(kind: str, directory: Path) -> list[str]:
    own = (TEMPLATES / name for name in ("serve", "slots", "common"))
    return [f"-I{path}" for path in (directory, VENDOR / kind, VENDOR, *own, KERNELS / "common")]


@pytest.mark.parametrize(
    ("kind", "board"), [(kind, board) for kind, names in CORES.items() for board in names]
)
def test_a_port_compiles_for_its_cores(kind: str, board: str, tmp_path: Path) -> None:
    write_config(tmp_path)
    core = boards.load(board).core
    tools = toolchain_for(core)
    source = TEMPLATES / "slots_ports" / PORTS[kind]
    language = ["-std=c++17"] if source.suffix == ".cpp" else ["-std=gnu11", "-Wconversion"]
    compiler = tools.cxx_compiler if source.suffix == ".cpp" else tools.compiler
    system = [f"-I{VENDOR / 'std'}"] if source.suffix == ".cpp" else [f"-I{VENDOR / 'libc'}"]
    defines = ["-DCONFIG_RISCV"] if core.port == "riscv" else []
    command = [
        *compiler,
        *tools.target_flags,
        *language,
        *STRICT,
        "-ffreestanding",
        "-DLIB_PICO_STDIO_UART=1",
    ]
    command += [*defines]
    command += [*includes(kind, tmp_path), *system, "-c", str(source), "-o", str(tmp_path / "port.o")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="flash lies where the board has it: MAP_FIXED_NOREPLACE")
@pytest.mark.parametrize(
    ("kind", "sector", "unit"),
    [
        ("mbed", 4096, 4),
        ("mbed", 131_072, 32),
        ("pico", 4096, 4),
        ("zephyr", 4096, 4),
        ("zephyr", 131_072, 32),
    ],
)
def test_a_port_does_what_firmware_with_slots_asks(kind: str, sector: int, unit: int, tmp_path: Path) -> None:
    """Sectors of nRF52840 and RP2040, and of STM32H7. RP2's own flash takes whole pages of 256 bytes."""
    write_config(tmp_path, sector, unit)
    port = TEMPLATES / "slots_ports" / PORTS[kind]
    sources = [port, VENDOR / f"{kind}{port.suffix}", VENDOR / "check.c", VENDOR / "stand_in.c"]
    sources += [TEMPLATES / "slots" / name for name in ("slots.c", "image.c", "sha2.c", "ed25519.c")]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags = [*STRICT, *sanitizers, f"-DSTAND_IN_UNIT={256 if kind == 'pico' else unit}u"]
    flags += [
        "-DLIB_PICO_STDIO_UART=1",
        *includes(kind, tmp_path),
        *(["-DSTAND_IN_SCRATCH"] if kind == "pico" else []),
    ]
    objects = []
    for source in sources:
        made = tmp_path / f"{source.parent.name}_{source.name}.o"
        compiler = ["g++", "-std=c++17"] if source.suffix == ".cpp" else ["gcc", "-std=gnu11"]
        subprocess.run([*compiler, *flags, "-c", str(source), "-o", str(made)], check=True, timeout=120)
        objects.append(str(made))
    program = tmp_path / "check"
    subprocess.run(["g++", *sanitizers, *objects, "-o", str(program)], check=True, timeout=60)
    for cause in range(3):
        command = [str(program), str(cause)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (3, "right\n"), done.stderr[-2000:]


@pytest.mark.parametrize("name", ["nano33", "nano33ble-sense-rev2", "portenta-h7", "pico2"])
def test_a_board_s_whole_project_compiles_for_its_core(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    compiled = compile_for_slots(classifier(), workflow.target(board, "balanced"))
    settings = Settings(key=KEY.public_key(), memory=4096, line_key=KEY.public_key())
    project = render_slots(compiled, board, settings, tmp_path, emulate=False)
    tools = toolchain_for(board.core)
    assert board.slots is not None
    kind = {"mbed": "mbed", "rp2": "pico"}[board.slots.port]
    places = [tmp_path / "src", ARDUINO, VENDOR / kind, VENDOR / "std", VENDOR / "libc"]
    base = [*tools.target_flags, *STRICT, "-ffreestanding", *(f"-I{place}" for place in places)]
    commands = []
    for source in project.sources:
        cxx = source.path.endswith(".cpp")
        compiler = tools.cxx_compiler if cxx else tools.compiler
        language = ["-std=c++17", "-fno-exceptions"] if cxx else ["-std=gnu11"]
        commands.append([*compiler, *language, *base, "-c", source.path, "-o", f"{source.path}.o"])
    for finished in run_all(commands, tmp_path, 120):
        assert finished.status == 0, finished.output
    layout = layout_of(board)
    ini = (tmp_path / "platformio.ini").read_text(encoding="utf-8")
    assert f"board_upload.maximum_size = {layout.firmware.bytes}" in ini
    assert layout.first % layout.sector_bytes == layout.slot_bytes % layout.sector_bytes == 0
    assert board.flash is not None
    assert layout.end <= board.flash.origin + board.flash.bytes


def test_a_board_without_a_port_says_so(tmp_path: Path) -> None:
    board = boards.load("bluepill")
    compiled = compile_for_slots(classifier(), workflow.target(boards.load("cortex-m3"), "balanced"))
    board = msgspec.structs.replace(board, flash=boards.load("cortex-m3").flash)
    with pytest.raises(UsageError, match="no port of firmware with slots"):
        render_slots(compiled, board, Settings(key=KEY.public_key(), memory=4096), tmp_path, emulate=False)
