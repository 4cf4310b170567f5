# SPDX-License-Identifier: Apache-2.0
"""The launcher, with a program that finds and asks devices as MLCommons' runner does."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.bench.models import write_classifier
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.cli.main import main
from tinyserve.devices.runner import InterfaceBoard, Runner, interface_board, offer_port
from tinyserve.errors import FileSystemError, ToolError, UsageError

DEVICES = """
- {name: stm32h573i-dk, type: interface, preference: 2, usb: {0x0483: 0x374E}}
- {name: l4r5zi, type: dut, usb: {0x0483: [0x374B, 0x374C]}}
"""
NEEDED = ("yaml", "sklearn")


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory as benchmark/runner of mlcommons/tiny, with the imitation in it."""
    for name in NEEDED:
        pytest.importorskip(name)
    directory = tmp_path / "runner"
    directory.mkdir()
    shutil.copy(Path(__file__).with_name("imitation.py"), directory / "main.py")
    (directory / "devices.yaml").write_text(DEVICES)
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "shapes.tflite")
    return directory


def test_the_unmodified_runner_finds_the_twin_s_pseudo_terminal(
    runner: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status = main(
        ["mlperf-runner", "runner", "--model", "shapes.tflite", "--board", "nano33",
         "--", "--bytes", "64", "--mode=p"]
    )  # fmt: skip
    shown = capfd.readouterr()
    assert status == 0, shown.err
    said = json.loads(shown.out.splitlines()[-1])
    assert said["name"] == "tinyserve, emulated: times are estimates"
    assert (said["model"], said["mode"]) == ("shapes", "p")
    assert len(said["results"]) == 1
    assert said["us"] > 0


LOUD, THRESHOLD = 12_000, 8


def write_recording(path: Path, seconds: float = 1.28, rate: int = 16_000) -> None:
    """Silence, a tone for the second half."""
    samples = np.zeros(int(seconds * rate), np.int16)
    half = samples.size // 2
    samples[half:] = LOUD * np.sin(np.arange(half) * 2 * np.pi * 1000 / rate)
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def write_listener(path: Path) -> None:
    """Three frames of 40 features; the first class is how loud they are, the second a constant."""
    weights = np.zeros((3, 120), np.int8)
    weights[0] = 1
    model = ModelBuilder()
    graph = model.graph()
    window = graph.input((1, 3, 1, 40), "int8", scale=1 / 255, zero_point=-128, name="window")
    flat = graph.tensor((1, 120), "int8", scale=1 / 255, zero_point=-128)
    graph.op("RESHAPE", [window, graph.constant(np.array([1, 120], np.int32))], [flat])
    scores = graph.tensor((1, 3), "int8", scale=0.5, zero_point=0, name="scores")
    bias = graph.constant(np.array([0, 255 * THRESHOLD // 2, -1000], np.int32), scale=1 / 255)
    graph.op("FULLY_CONNECTED", [flat, graph.constant(weights, scale=1.0), bias], [scores])
    graph.output(scores)
    path.write_bytes(model.build())


def test_the_streaming_test_runs_whole_on_a_twin(
    runner: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(Path(__file__).with_name("streaming.py"), runner / "main.py")
    write_recording(runner / "sd_card" / "tone.wav")
    write_listener(tmp_path / "sww01.tflite")
    status = main(
        ["mlperf-runner", "runner", "--model", "sww01.tflite", "--board", "cortex-m4", "--", "tone.wav"]
    )
    shown = capfd.readouterr()
    assert status == 0, shown.err
    said = json.loads(shown.out.splitlines()[-1])
    assert said["name"] == "tinyML Enhanced Interface Board"
    assert said["steps"] == len(said["activations"]) == 40
    assert said["periods"] == [3200], "a step every 32 ms, in units of 10 us"
    assert len(said["busy"]) == 1 and 0 < said["busy"][0] < 3200
    first = next(at for at, value in enumerate(said["activations"]) if value > THRESHOLD)
    assert 20 <= first <= 23, "the tone begins after 20 steps"
    assert said["times"] == [0, 32 * (first + 1)], "its start, and where the word begins"
    assert said["passed"] == ["[dut]: m-name-dut-[tinyserve, emulated: times are estimates]"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.wav", "no recording gone.wav"),
        ("../main.py", "no recording ../main.py"),
        ("slow.wav", "16 bits at 8000 Hz"),
        ("broken.wav", "broken.wav: "),
    ],
)
def test_what_can_t_be_played_is_said_to_the_runner(name: str, words: str, tmp_path: Path) -> None:
    write_recording(tmp_path / "sd" / "slow.wav", rate=8000)
    (tmp_path / "sd" / "broken.wav").write_bytes(b"RIFF....")
    board = InterfaceBoard(SimpleNamespace(link=None), tmp_path / "sd")  # type: ignore[arg-type]
    first, *rest = board.answer(f"play {name}")
    assert first.startswith("e-[") and words in first
    assert rest == ["m-ready"]


def test_the_interface_board_knows_its_commands(tmp_path: Path) -> None:
    write_recording(tmp_path / "tone.wav")
    board = InterfaceBoard(SimpleNamespace(link=None), tmp_path)  # type: ignore[arg-type]
    assert list(board.answer("ls")) == ["tone.wav", "m-ready"]
    assert list(board.answer("checkbaud")) == ["baud is: 115200", "m-ready"]
    assert list(board.answer("setbaud 9600")) == ["set baud to: 9600", "m-ready"]
    assert next(board.answer("checkbaud")) == "baud is: 9600"
    assert next(board.answer("setbaud x")).startswith("e-[")
    assert next(board.answer("fly")) == "e-[Unknown command: fly]"
    nothing = ["Duty cycle start times (s)", "Duty cycle stop times (s)", "m-ready"]
    assert list(board.answer("print_dutycycle")) == nothing


def test_a_long_emulated_inference_does_not_end_the_runner_s_patience(
    runner: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """35,000 inferences are more than six seconds in the emulator; the runner waits for five."""
    status = main(
        ["mlperf-runner", "runner", "--model", "shapes.tflite", "--board", "cortex-m4",
         "--", "--bytes=64", "--infer", "35000 1"]
    )  # fmt: skip
    shown = capfd.readouterr()
    assert status == 0, shown.err


def test_the_runner_s_own_status_is_passed_on(runner: Path) -> None:
    (runner / "main.py").write_text("import sys\nsys.exit(7)\n")
    arguments = ["mlperf-runner", "runner", "--model", "shapes.tflite", "--board", "cortex-m4"]
    assert main(arguments) == 7


@pytest.fixture
def port() -> Iterator[str]:
    """A line with nobody at its other end."""
    ends = os.openpty()
    yield os.ttyname(ends[1])
    for end in ends:
        os.close(end)


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_board_at_a_port_is_offered_as_it_is(
    runner: Path, port: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (runner / "main.py").write_text(
        "from serial.tools import list_ports\n"
        "print([(p.device, hex(p.vid), hex(p.pid)) for p in list_ports.comports(True) if p.vid])\n"
    )
    assert main(["mlperf-runner", "runner", "--board", "nano33", "--port", port]) == 0
    assert f"[('{port}', '0x483', '0x374b')]" in capfd.readouterr().out


def test_a_port_that_is_not_there_is_refused(runner: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["mlperf-runner", "runner", "--board", "nano33", "--port", "/dev/gone"]) == 8
    assert "there is no such port" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_runner_that_a_signal_ends_gives_its_number_and_128(runner: Path, port: str) -> None:
    (runner / "main.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    arguments = ["mlperf-runner", "runner", "--board", "nano33", "--port", port]
    assert main(arguments) == 137


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- {name: [", "devices.yaml: not valid YAML: while parsing"),
        (b"\xff\xfe\x00", "devices.yaml: not valid YAML"),
        (b"[" * 5000, "devices.yaml: not valid YAML"),
        (b"name: l4r5zi", "devices.yaml: no list of devices"),
        (b"[1, 2]", "devices.yaml: no list of devices"),
        (b"- {type: dut, usb: {.inf: 1}}", "has no usb ids of the form"),
        (b"- {type: dut, usb: {1: [.nan]}}", "has no usb ids of the form"),
        (b"# " + b"x" * 300_000, "devices.yaml: over 262,144 bytes"),
        (b"- {name: x, type: interface, usb: {1: 2}}", "no device of type dut has a usb id"),
        (b"- {name: x, type: dut, usb: 7}", "has no usb ids of the form"),
        (b"- {name: x, type: dut, usb: {1: []}}", "has no usb ids of the form"),
        (b"- {name: x, type: dut, usb: {a: b}}", "has no usb ids of the form"),
        (b"", "no device of type dut"),
    ],
)
def test_a_broken_list_of_devices_is_one_line_before_anything_is_built(
    content: bytes, said: str, runner: Path
) -> None:
    (runner / "devices.yaml").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        Runner(runner).check()
    assert said in caught.value.message and "\n" not in caught.value.message


def test_what_is_missing_is_said_before_anything_is_built(runner: Path, tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match=r"no main\.py here"):
        Runner(tmp_path).check()
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(ToolError, match="the runner's packages are not there"):
        Runner(runner, python=str(bare)).check()
    with pytest.raises(ToolError, match="No such file"):
        Runner(runner, python=str(tmp_path / "nothing")).check()
    assert main(["mlperf-runner", "runner", "--board", "nano33"]) == 2


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ([], "devices.yaml"),
        (["-d", "mine.yaml"], "mine.yaml"),
        (["-dmine.yaml"], "mine.yaml"),
        (["--mode=p", "--device_list=mine.yaml"], "mine.yaml"),
    ],
)
def test_the_runner_s_own_device_list_is_read(arguments: list[str], path: str) -> None:
    assert offer_port.device_list(arguments) == path


def test_a_device_list_that_never_ends_is_not_read(runner: Path) -> None:
    with pytest.raises(UsageError, match="/dev/zero: no file"):
        Runner(runner, ("-d", "/dev/zero")).check()


class Silent:
    """A device for an interface board that is asked nothing."""

    link = SimpleNamespace()


def test_recordings_of_any_name_are_listed_on_one_line_each(tmp_path: Path) -> None:
    board = InterfaceBoard(Silent(), tmp_path)  # type: ignore[arg-type]
    for name in (b"a\n% play b.wav", b"\xff.wav", b"plain.wav"):
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).touch()
    os.mkfifo(tmp_path / "pipe.wav")
    lines = list(board.answer("ls"))
    assert lines == ["a␊% play b.wav", "plain.wav", "�.wav", "m-ready"]
    assert list(board.answer("play pipe.wav")) == [f"e-[no recording pipe.wav in {tmp_path}]", "m-ready"]


def test_a_recording_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    write_recording(path, seconds=0.01)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = (0xFFFFFF00).to_bytes(4, "little")
    path.write_bytes(data)
    os.truncate(path, 0xFFFFFF00)
    board = InterfaceBoard(Silent(), tmp_path)  # type: ignore[arg-type]
    said, ready = board.answer("play long.wav")
    assert "long.wav: over 3,600 s of sound" in said
    assert ready == "m-ready"


def test_a_runner_that_does_not_read_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface_board, "_UNREAD_S", 0.2)
    for number in range(2000):
        (tmp_path / f"{number:0100}.wav").touch()
    with InterfaceBoard(Silent(), tmp_path) as board:  # type: ignore[arg-type]
        asking = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
        os.write(asking, b"ls%")
        begun = time.monotonic()
        while time.monotonic() - begun < 0.1:
            board.poll()
        assert time.monotonic() - begun < 60  # and not as long as nobody reads
        os.close(asking)
