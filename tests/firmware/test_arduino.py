# SPDX-License-Identifier: Apache-2.0
"""The Arduino port against a stub of the core: it compiles for every board's features, and runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.firmware.conversation import Conversation
from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.errors import UsageError
from tinyserve.firmware.process import run_all
from tinyserve.firmware.render import Project, render
from tinyserve.firmware.toolchain import toolchain_for

STUB = Path(__file__).parent / "arduino_stub"
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
FLAGS = [*WARNINGS, "-Isrc", "-Isrc/model", f"-I{STUB}", "-DTS_TINY_PROFILE=1"]
COMPILED = [board for board in boards.all_boards() if board.platformio and board.core.zig_target]


@pytest.mark.parametrize("board", COMPILED, ids=lambda board: board.id)
def test_the_sketch_compiles_for_its_core(board: boards.Board, tmp_path: Path) -> None:
    project = render(tiny_model(), board, tmp_path)
    tools = toolchain_for(board.core)
    zig = tools.compiler[0]
    base = [*tools.target_flags, "-O2", "-ffreestanding", "-fno-exceptions", *FLAGS]
    commands = []
    for source in project.sources:
        language = [zig, "c++", "-std=c++17"] if source.path.endswith(".cpp") else [zig, "cc", "-std=c11"]
        if source.part not in ("model", "weights"):
            commands.append([*language, *base, "-c", source.path, "-o", f"{source.path}.o"])
    for finished in run_all(commands, tmp_path, 120):
        assert finished.status == 0, finished.output


def _build_on_host(board: str, directory: Path, *flags: str, energy_pin: int | None = None) -> Path:
    energy = energy_pin is not None
    project = render(
        tiny_model(), boards.load(board), directory, energy_mode=energy, timestamp_pin=energy_pin
    )
    return build_on_host(project, *flags)


def build_on_host(project: Project, *flags: str) -> Path:
    """The sketch as a program: pins and delays on standard error."""
    directory = project.directory
    objects = []
    for source in project.sources:
        made = f"{source.path}.o"
        strict = FLAGS if source.part not in ("model", "weights") else [f for f in FLAGS if f not in WARNINGS]
        compiler = ["g++", "-std=c++17"] if source.path.endswith(".cpp") else ["gcc", "-std=c11"]
        defines = [f"-D{name}={value}" for name, value in project.defines.items()]
        command = [*compiler, "-O1", *strict, *defines, *flags, "-c", source.path, "-o", made]
        subprocess.run(command, cwd=directory, check=True, timeout=120)
        objects.append(made)
    program = directory / "sketch"
    link = ["g++", "-std=c++17", f"-I{STUB}", *objects, str(STUB / "core.cpp"), "-o", str(program)]
    subprocess.run(link, cwd=directory, check=True, timeout=120)
    return program


@pytest.mark.parametrize("board", ["pico", "esp32dev"])
def test_the_sketch_holds_the_same_conversation(board: str, tmp_path: Path) -> None:
    with Conversation(_build_on_host(board, tmp_path)) as device:
        assert device.read_answer() == ["m-timestamp-mode-performance", "m-init-done"]
        assert device.ask("name") == ["m-name-dut-[tinyserve]"]
        assert f"ts-info-[board={board}]" in device.ask("ts-info")
        assert "ts-info-[tick_unit=us]" in device.ask("ts-info")
        device.ask("db load 8")
        assert device.ask("db 0102030405060708") == ["m-load-done"]
        assert device.ask("infer 1 0")[-1] == "m-results-[0.523,0.535,0.547,0.559]"
        first = int(device.ask("timestamp")[0].removeprefix("m-lap-us-"))
        second = int(device.ask("timestamp")[0].removeprefix("m-lap-us-"))
        assert 0 <= first <= second < 60_000_000  # micros() turned over at the start


def test_the_marker_pin_shows_when_an_inference_runs(tmp_path: Path) -> None:
    program = _build_on_host("pico", tmp_path, "-DCONFIG_MARKER_PIN=2")
    finished = subprocess.run([program], input=b"ts-infer 2 1%", capture_output=True, timeout=60, check=True)
    lines = finished.stderr.decode().splitlines()
    assert lines[0] == "baud 115200"
    assert lines[1:] == ["pin 2 mode 1", "pin 2 value 0", *["pin 2 value 1", "pin 2 value 0"] * 2]


EDGE = ["pin 7 value 0", "delay 10 us", "pin 7 value 1"]


def test_in_energy_mode_time_stamps_are_edges_of_a_pin_and_the_line_is_slow(tmp_path: Path) -> None:
    program = _build_on_host("pico", tmp_path, energy_pin=7)
    talk = b"timestamp%db load 8%db 0102030405060708%infer 3 1%"
    finished = subprocess.run([program], input=talk, capture_output=True, timeout=60, check=True)
    said = finished.stdout.decode().split("\r\n")
    assert said[:3] == ["m-timestamp-mode-energy", "m-init-done", "m-ready"]
    assert not any(line.startswith("m-lap-us-") for line in said)
    assert said[-4:-2] == ["m-infer-done", "m-results-[0.523,0.535,0.547,0.559]"]
    start = ["Serial1 baud 9600", "pin 7 mode 1", "pin 7 value 1", *EDGE]  # high at rest
    assert finished.stderr.decode().splitlines() == [*start, *EDGE * 3]  # timestamp, before and after infer


@pytest.mark.parametrize(
    ("board", "line"),
    [("pico", "Serial1 baud 9600"), ("xiao-esp32s3", "Serial0 baud 9600"), ("nucleo-g0b1re", "baud 9600")],
)
def test_the_runner_s_isolated_line_is_on_pins(board: str, line: str, tmp_path: Path) -> None:
    """Where Serial is USB, its cable would supply the board beside the meter."""
    program = _build_on_host(board, tmp_path, energy_pin=7)
    finished = subprocess.run([program], input=b"name%", capture_output=True, timeout=60, check=True)
    assert finished.stderr.decode().splitlines()[0] == line


def test_an_esp32_gets_a_queue_for_whole_commands_before_the_line_opens(tmp_path: Path) -> None:
    """Its core holds 256 bytes by default and drops the rest."""
    program = _build_on_host("esp32-c3", tmp_path, "-DARDUINO_ARCH_ESP32")
    finished = subprocess.run([program], input=b"ts-info%", capture_output=True, timeout=60, check=True)
    queue, line = finished.stderr.decode().splitlines()[:2]
    assert line == "baud 115200"
    info = finished.stdout.decode()
    longest = int(info.split("line_bytes=")[1].split("]")[0])
    assert int(queue.removeprefix("queue ")) > longest
    assert "ts-info-[clock_hz=160000000]" in info


CORE_HEADERS = """
    Arduino.h Print.h Printable.h Stream.h Client.h Server.h Udp.h IPAddress.h HardwareSerial.h WString.h
    Common.h String.h Interrupts.h PluggableUSBAPI.h Compat.h Binary.h Config.h Wire.h SPI.h Serial.h USB.h
    FreeRTOS.h Portmacro.h Portable.h Task.h Queue.h Timers.h Mbed.h Rtos.h Console.h Log.h Memory.h Time.h
"""


def test_no_header_stands_for_a_core_s_where_case_does_not_count(tmp_path: Path) -> None:
    """PlatformIO has src/ in every source's include path, and macOS and Windows take print.h for Print.h."""
    project = render(tiny_model(), boards.load("pico"), tmp_path)
    ours = {path.name.lower() for path in (project.directory / "src").glob("*.h")}
    assert ours & {name.lower() for name in CORE_HEADERS.split()} <= {"config.h"}
    assert "-Isrc" not in (tmp_path / "platformio.ini").read_text()


def test_sources_find_their_headers_without_an_include_path(tmp_path: Path) -> None:
    project = render(tiny_model(), boards.load("nucleo-g0b1re"), tmp_path)
    for source in project.sources:
        compiler = ["g++", "-std=c++17"] if source.path.endswith(".cpp") else ["gcc", "-std=c11"]
        define = [f"-D{name}={value}" for name, value in project.defines.items()]
        command = [*compiler, *define, f"-I{STUB}", "-fsyntax-only", source.path]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)


def test_energy_mode_on_a_board_needs_a_pin(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pico: energy mode needs a pin"):
        render(tiny_model(), boards.load("pico"), tmp_path, energy_mode=True)
