# SPDX-License-Identifier: Apache-2.0
"""A model that listens, as MLPerf Tiny's streaming wake word: frames come one by one, the window slides."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.firmware.conversation import Conversation
from tests.firmware.test_arduino import build_on_host
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.devices import open_device
from tinyserve.firmware.build import build
from tinyserve.firmware.render import Project, render

FRAMES, FEATURES, ZERO_POINT = 4, 2, -7
STEP_MS = 32


def listening_model() -> Compiled:
    """The first class is the sum of the window, the second half of its newest frame, the third 20."""
    weights = np.zeros((3, FRAMES * FEATURES), np.int8)
    weights[0], weights[1, -FEATURES:] = 100, 50
    model = ModelBuilder()
    graph = model.graph()
    window = graph.input((1, FRAMES, 1, FEATURES), "int8", scale=0.1, zero_point=ZERO_POINT, name="window")
    flat = graph.tensor((1, FRAMES * FEATURES), "int8", scale=0.1, zero_point=ZERO_POINT)
    scores = graph.tensor((1, 3), "int8", scale=0.1, zero_point=0, name="scores")
    shape = graph.constant(np.array([1, FRAMES * FEATURES], np.int32))
    bias = graph.constant(np.array([0, 0, 2000], np.int32), scale=0.001)
    graph.op("RESHAPE", [window, shape], [flat])
    graph.op("FULLY_CONNECTED", [flat, graph.constant(weights, scale=0.01), bias], [scores])
    graph.output(scores)
    return compile_model(model.build(), name="model")


def project_in(directory: Path, board: str = "host", *, emulate: bool = False) -> Project:
    return render(listening_model(), boards.load(board), directory, model_id="sww01", emulate=emulate)


def frames(count: int = 24) -> npt.NDArray[np.int8]:
    """Silence, a word, silence, a word."""
    quiet = np.random.default_rng(3).integers(-20, 6, (count, FEATURES)).astype(np.int8)
    quiet[6:9] = quiet[15:18] = 60
    return quiet


def expected() -> tuple[list[bytes], list[int], list[int]]:
    """Of each step the scores, the wake word's activation; and where it begins."""
    window = np.full((1, FRAMES, 1, FEATURES), ZERO_POINT, np.int8)
    model = HostModel(listening_model())
    scores, begins, was_heard = [], [], False
    for step, frame in enumerate(frames(), 1):
        window = np.concatenate([window[:, 1:], frame[None, None, None]], axis=1)
        found = model.run([window])[0].ravel()
        is_heard = bool(found[0] > found[1:].max())
        if is_heard and not was_heard:
            begins.append(step)
        was_heard = is_heard
        scores.append(found.astype(np.int8))
    return [found.tobytes() for found in scores], [int(found[0]) for found in scores], begins


def listen(device: Conversation) -> list[list[str]]:
    return [device.ask(f"ts-frame {frame.tobytes().hex()}") for frame in frames()]


def printed_activations(lines: list[str]) -> list[int]:
    """As MLCommons' runner reads them: of all lines as one text the array between its title and the end."""
    found = re.search(r"target activations:\s*(\[.*?\])\s*m-ready", "".join([*lines, "m-ready"]), re.DOTALL)
    assert found is not None, lines
    return [int(value) for value in found[1].strip("[]").split(",")]


def test_the_window_slides_and_the_word_is_heard_where_it_begins(tmp_path: Path) -> None:
    scores, activations, begins = expected()
    assert len(begins) == 2, "the test's model hears both words"
    with Conversation(build(project_in(tmp_path)).elf) as device:
        device.read_answer()
        assert device.ask("start") == [f"m-[streaming, a frame every 32 ms has bytes: {FEATURES}]"]
        for step, answer in enumerate(listen(device), 1):
            heard = ",detected" if step in begins else ""
            assert answer == [f"ts-step-[{scores[step - 1].hex()}{heard}]"]
        lines = device.ask("stop")
        figures = {
            name: int(value)
            for name, value in (
                line.removeprefix("ts-stream-[").removesuffix("]").split("=")
                for line in lines
                if line.startswith("ts-stream-[")
            )
        }
        assert printed_activations(lines) == activations
        assert (figures["steps"], figures["detections"]) == (len(activations), 2)
        duty = figures["busy_us"] // (figures["steps"] * STEP_MS)
        assert figures["duty_cycle_permille"] == duty
        title, *times = device.ask("print_detections")
        assert title == "Detection Timestamps (ms)"
        assert times == [f"{step * STEP_MS}," for step in (0, *begins)], "from the start, which is the first"


def test_each_start_is_a_new_one(tmp_path: Path) -> None:
    with Conversation(build(project_in(tmp_path)).elf) as device:
        device.read_answer()
        device.ask("start")
        once = listen(device)
        device.ask("start")
        assert listen(device) == once
        assert len(device.ask("print_detections")) == 4


@pytest.mark.parametrize("frame", ["", "01", "010203", "01g2", "0x0102"])
def test_a_wrong_frame_is_none(frame: str, tmp_path: Path) -> None:
    with Conversation(build(project_in(tmp_path)).elf) as device:
        device.read_answer()
        assert device.ask("ts-frame 0102") == ["e-[nothing streams, send start%]"]
        device.ask("start")
        assert device.ask(f"ts-frame {frame}") == [f"e-[ts-frame: hexadecimal bytes wanted: {FEATURES}]"]
        device.ask("stop")
        assert device.ask("stop") == []
        assert device.ask("print_detections")[1:] == ["0,"]


def test_long_runs_keep_the_last_activations(tmp_path: Path) -> None:
    with Conversation(build(project_in(tmp_path)).elf) as device:
        device.read_answer()
        device.ask("start")
        last = [device.ask("ts-frame 0101") for _ in range(600)][-1][0]
        lines = device.ask("stop")
        printed = printed_activations(lines)
        assert len(printed) == 512
        assert printed[-1] == int.from_bytes(bytes.fromhex(last[9:11]), "little", signed=True)
        assert "ts-stream-[steps=600]" in lines


def test_the_whole_window_can_still_be_sent(tmp_path: Path) -> None:
    """The runner's other modes send inputs as to any model."""
    with Conversation(build(project_in(tmp_path)).elf) as device:
        device.read_answer()
        device.ask(f"db load {FRAMES * FEATURES}")
        assert device.ask("db " + frames()[:FRAMES].tobytes().hex()) == ["m-load-done"]
        device.ask("infer 1 0")
        expected_scores = HostModel(listening_model()).run(
            [frames()[:FRAMES].reshape(1, FRAMES, 1, FEATURES)]
        )
        assert device.ask("ts-output 0")[0] == f"ts-output-[{expected_scores[0].tobytes().hex()}]"


def test_on_an_emulated_board(tmp_path: Path) -> None:
    board = boards.load("nano33")
    scores, _, begins = expected()
    with open_device(build(project_in(tmp_path, "nano33", emulate=True)), board) as device:
        device.link.write(b"start%")
        talk = b"".join(b"ts-frame %s%%" % frame.tobytes().hex().encode() for frame in frames())
        device.link.write(talk + b"name%")
        received = b""
        while b"m-name" not in received:
            received += device.link.read_some(10.0)
    steps = [line for line in received.decode().split("\r\n") if line.startswith("ts-step")]
    assert steps == [
        f"ts-step-[{found.hex()}{',detected' if step in begins else ''}]"
        for step, found in enumerate(scores, 1)
    ]


def test_pins_show_the_duty_cycle_and_each_detection(tmp_path: Path) -> None:
    program = build_on_host(project_in(tmp_path, "pico"), "-DCONFIG_MARKER_PIN=2", "-DCONFIG_DETECTION_PIN=3")
    _, _, begins = expected()
    talk = "start%" + "".join(f"ts-frame {frame.tobytes().hex()}%" for frame in frames())
    finished = subprocess.run([program], input=talk.encode(), capture_output=True, timeout=60, check=True)
    busy = ["pin 2 value 1", "pin 2 value 0"]
    edge = ["pin 3 value 1", "delay 10 us", "pin 3 value 0"]
    steps = [line for step in range(1, len(frames()) + 1) for line in busy + edge * (step in begins)]
    said = finished.stderr.decode().splitlines()
    rest = [f"pin {pin} {what}" for pin in (2, 3) for what in ("mode 1", "value 0")]
    assert said[1:] == [*rest, *edge, *steps]


WINDOW, STEP, BANDS = 1024, 512, 40


def echoing_model(scale: float = 1 / 255, zero_point: int = -128) -> Compiled:
    """Its output is its window: the last two frames of 40 features, which the firmware computes of sound."""
    model = ModelBuilder()
    graph = model.graph()
    window = graph.input((1, 2, 1, BANDS), "int8", scale=scale, zero_point=zero_point, name="window")
    flat = graph.tensor((1, 2 * BANDS), "int8", scale=scale, zero_point=zero_point, name="flat")
    graph.op("RESHAPE", [window, graph.constant(np.array([1, 2 * BANDS], np.int32))], [flat])
    graph.output(flat)
    return compile_model(model.build(), name="model")


def reference_features(sound: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """Of each step, in double precision, what MLPerf Tiny's training computes: [steps, BANDS] from 0 to 1."""
    padded = np.concatenate([np.zeros(STEP + 1), sound / 32768.0])
    mel = 1127.0 * np.log(1 + np.arange(WINDOW // 2 + 1) * 16000 / WINDOW / 700.0)
    edges = np.linspace(0, 1127.0 * np.log(1 + 8000 / 700.0), BANDS + 2)
    lower, center, upper = (edges[at : at + BANDS, None] for at in range(3))
    filters = np.maximum(0, np.minimum((mel - lower) / (center - lower), (upper - mel) / (upper - center)))
    filters[:, 0] = 0
    found = []
    for at in range(1, len(padded) - WINDOW + 1, STEP):
        emphasized = padded[at : at + WINDOW] - 0.96875 * padded[at - 1 : at + WINDOW - 1]
        power = np.abs(np.fft.rfft(emphasized * np.hamming(WINDOW))) ** 2 / WINDOW
        levels = 10 * np.log10(np.maximum(filters @ power, 1e-30))
        found.append(np.clip((levels + 52) / 64, 0, 1))
    return np.array(found)


def some_sound(seconds: float = 0.5) -> npt.NDArray[np.int16]:
    """A sweep, noise, silence, and full scale."""
    times = np.arange(int(seconds * 16000)) / 16000
    noise = np.random.default_rng(5).normal(0, 300, times.size)
    sweep = 12000 * np.sin(2 * np.pi * (200 + 6000 * times) * times) + noise
    sweep[times.size // 2 : times.size // 2 + 3 * STEP] = 0
    sweep[-STEP:] = 32767
    return sweep.astype(np.int16)


def talk_of(sound: npt.NDArray[np.int16], at_once: int = 200) -> list[str]:
    return [f"ts-audio {sound[at : at + at_once].tobytes().hex()}" for at in range(0, sound.size, at_once)]


def heard(answers: list[str]) -> npt.NDArray[np.int8]:
    """The newest frame of each step."""
    windows = [bytes.fromhex(line[9 : 9 + 4 * BANDS]) for line in answers if line.startswith("ts-step-[")]
    return np.array([np.frombuffer(window, np.int8)[BANDS:] for window in windows])


def test_features_of_sound_are_those_of_the_training(tmp_path: Path) -> None:
    sound = some_sound()
    project = render(echoing_model(), boards.load("host"), tmp_path, model_id="sww01")
    with Conversation(build(project).elf) as device:
        device.read_answer()
        device.ask("start")
        found = heard([line for command in talk_of(sound) for line in device.ask(command)])
        expected_values = reference_features(sound) * 255 - 128
        assert found.shape == (sound.size // STEP, BANDS) == expected_values[: len(found)].shape
        assert len(np.unique(found)) > 100, "the test's sound has levels of all kinds"
        assert np.abs(found - np.trunc(expected_values[: len(found)])).max() <= 1
        assert np.mean(found != np.trunc(expected_values[: len(found)])) < 0.02
        device.ask("start")
        assert device.ask(talk_of(sound, STEP // 2)[0]) == [], "half a step"
        assert np.array_equal(heard(device.ask(talk_of(sound, STEP // 2)[1])), found[:1])


@pytest.mark.parametrize("board", ["nano33", "cortex-m0"])
def test_features_are_the_same_bytes_on_every_core(board: str, tmp_path: Path) -> None:
    sound = some_sound(4 * STEP / 16000)
    project = render(echoing_model(), boards.load("host"), tmp_path / "host", model_id="sww01")
    with Conversation(build(project).elf) as device:
        device.read_answer()
        device.ask("start")
        found = heard([line for command in talk_of(sound) for line in device.ask(command)])
    chosen = boards.load(board)
    emulated = render(echoing_model(), chosen, tmp_path / "e", model_id="sww01", emulate=board == "nano33")
    with open_device(build(emulated), chosen) as device_:
        device_.link.write("%".join(["start", *talk_of(sound), "name%"]).encode())
        received = b""
        while b"m-name" not in received:
            received += device_.link.read_some(30.0)
    assert np.array_equal(heard(received.decode().split("\r\n")), found)


@pytest.mark.parametrize("samples", ["", "01", "010203", "0102x304", "0x010203"])
def test_wrong_sound_is_none(samples: str, tmp_path: Path) -> None:
    project = render(echoing_model(), boards.load("host"), tmp_path, model_id="sww01")
    with Conversation(build(project).elf) as device:
        device.read_answer()
        assert device.ask("ts-audio 0102") == ["e-[nothing streams, send start%]"]
        device.ask("start")
        wanted = "e-[ts-audio: samples of 16 bits wanted, as hexadecimal bytes]"
        assert device.ask(f"ts-audio {samples}") == [wanted]
        assert "ts-stream-[steps=0]" in device.ask("stop")
