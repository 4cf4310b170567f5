# SPDX-License-Identifier: Apache-2.0
"""What MLPerf Tiny's runner sends is not always the model's own bytes; results are what it expects."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.firmware.conversation import Conversation
from tests.firmware.mlperf_models import (
    FEATURES,
    IN_SCALE,
    IN_ZERO,
    OUT_SCALE,
    OUT_ZERO,
    PIXELS,
    autoencoder,
    classifier,
)
from tinyserve import boards
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.host.model import HostModel
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.interface import interface_of
from tinyserve.firmware.mlperf import Exchange, exchange_of
from tinyserve.firmware.render import render
from tinyserve.firmware.toolchain import toolchain_for

RUNNERS_PIECE = 31  # bytes in a command of its
Open = Callable[[Compiled, str], Conversation]


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_(compiled: Compiled, model_id: str) -> Conversation:
            project = render(compiled, boards.load("host"), tmp_path, model_id=model_id)
            device = stack.enter_context(Conversation(build(project).elf))
            device.read_answer()
            return device

        yield open_


def load(device: Conversation, data: bytes) -> None:
    """As the runner does it: pieces end anywhere, also within a value."""
    assert device.ask(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
    answers = [
        device.ask(f"db {data[at : at + RUNNERS_PIECE].hex()}") for at in range(0, len(data), RUNNERS_PIECE)
    ]
    assert answers[-1] == ["m-load-done"]


def reconstruction_error(values: npt.NDArray[np.float32]) -> float:
    """By the reference firmware's steps, in numpy."""
    steps = values / np.float32(IN_SCALE)
    stored = np.clip(np.trunc(steps + np.where(values < 0, -0.5, 0.5)) + IN_ZERO, -128, 127).astype(np.int8)
    found = HostModel(autoencoder()).run([stored[None]])[0].astype(np.float32).ravel()
    return float(np.mean((((found - OUT_ZERO) * np.float32(OUT_SCALE)) - values) ** 2))


def values(seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(-10, 20, FEATURES).astype(np.float32)


def result(device: Conversation) -> float:
    (line,) = device.ask("results")
    return float(line.removeprefix("m-results-[").removesuffix("]"))


@pytest.mark.parametrize("seed", range(3))
def test_ad01_takes_floats_and_gives_the_error_of_the_reconstruction(talk: Open, seed: int) -> None:
    device = talk(autoencoder(), "ad01")
    load(device, values(seed).astype("<f4").tobytes())
    lines = device.ask("infer 1 0")
    assert lines[-1] == f"m-results-[{result(device):.3f}]"
    assert result(device) == pytest.approx(reconstruction_error(values(seed)), rel=1e-5)


def test_ad01_saturates_and_survives_what_is_no_number(talk: Open) -> None:
    device = talk(autoencoder(), "ad01")
    odd = np.resize(np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40], "<f4"), FEATURES)
    load(device, odd.tobytes())
    assert device.ask("infer 1 0")[-1].startswith("m-results-[")
    stored = HostModel(autoencoder()).run(
        [np.resize(np.array([-128, 127, -128, 127, -128, IN_ZERO], np.int8), FEATURES)[None]]
    )[0]
    assert device.ask("ts-output 0")[0] == f"ts-output-[{stored.tobytes().hex()}]"


def test_ad01_takes_its_own_bytes_too_and_the_float_model_floats(talk: Open) -> None:
    device = talk(autoencoder(), "ad01")
    stored = np.arange(FEATURES, dtype=np.int8)
    load(device, stored.tobytes())
    device.ask("infer 1 0")
    given = (stored.astype(np.float32) - IN_ZERO) * np.float32(IN_SCALE)
    assert result(device) == pytest.approx(reconstruction_error(given), rel=1e-5)


def test_a_float_autoencoder_gives_the_error_of_the_reconstruction(talk: Open) -> None:
    device = talk(autoencoder("float32"), "ad01")
    load(device, values(1).astype("<f4").tobytes())
    device.ask("infer 1 0")
    found = HostModel(autoencoder("float32")).run([values(1)[None]])[0].ravel()
    assert result(device) == pytest.approx(float(np.mean((found - values(1)) ** 2)), rel=1e-5)


def test_a_new_input_forgets_the_result_that_compared_with_the_old_one(talk: Open) -> None:
    device = talk(autoencoder(), "ad01")
    load(device, values(1).astype("<f4").tobytes())
    device.ask("infer 1 0")
    device.ask(f"db load {FEATURES * 4}")
    assert device.ask("results") == ["e-[no inference yet]"]


@pytest.mark.parametrize("model_id", ["ic01", "vww01"])
def test_images_come_as_pixels_unless_ts_select_says_that_the_next_load_is_the_models_own(
    talk: Open, model_id: str
) -> None:
    device = talk(classifier(), model_id)
    pixels = np.random.default_rng(2).integers(0, 256, PIXELS, dtype=np.uint8)
    own = (pixels.astype(np.int16) - 128).astype(np.int8)
    expected = HostModel(classifier()).run([own[None]])[0].tobytes().hex()
    for select, data in (("", pixels.tobytes()), ("ts-select 0", own.tobytes()), ("", pixels.tobytes())):
        if select:
            device.ask(select)
        load(device, data)
        device.ask("infer 1 0")
        assert device.ask("ts-output 0")[0] == f"ts-output-[{expected}]"


def test_other_models_take_their_own_bytes(talk: Open) -> None:
    device = talk(classifier(), "shapes")
    data = bytes(range(PIXELS))
    load(device, data)
    device.ask("infer 1 0")
    expected = HostModel(classifier()).run([np.frombuffer(data, np.int8)[None]])[0]
    assert device.ask("ts-output 0")[0] == f"ts-output-[{expected.tobytes().hex()}]"


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "rv32imc"])
def test_boards_without_and_with_an_fpu_agree_with_the_host(tmp_path: Path, board: str) -> None:
    target = boards.load(board)
    firmware = build(render(autoencoder(), target, tmp_path, emulate=True, model_id="ad01"))
    with open_device(firmware, target) as device:
        client = Client(device.link)
        client.mlperf_load(values(1).astype("<f4").tobytes())
        found = client.mlperf_infer(1).results
    assert found == pytest.approx([reconstruction_error(values(1))], rel=1e-5)


@pytest.mark.parametrize(
    ("make", "model_id"),
    [(autoencoder, "ad01"), (partial(autoencoder, "float32"), "ad01"), (classifier, "ic01")],
    ids=["ad01", "ad01 in float32", "ic01"],
)
def test_it_compiles_without_a_warning(tmp_path: Path, make: Callable[[], Compiled], model_id: str) -> None:
    project = render(make(), boards.load("host"), tmp_path, model_id=model_id)
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Isrc", "-Isrc/model"]
    flags += [f"-D{name}={value}" for name, value in project.defines.items()]
    compiler = toolchain_for(project.board.core).compiler
    for name in ("mlperf", "protocol"):
        command = [*compiler, *flags, "-c", f"src/{name}.c", "-o", f"{name}.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def test_only_the_mlperf_tiny_models_have_an_exchange_of_their_own() -> None:
    encoder, images = interface_of(autoencoder()), interface_of(classifier())
    assert exchange_of(encoder, "ad01") == Exchange(floats=FEATURES, reconstruction=True)
    assert exchange_of(interface_of(autoencoder("float32")), "ad01") == Exchange(reconstruction=True)
    assert exchange_of(images, "vww01") == Exchange(pixels=True)
    assert exchange_of(images, "ad01") == exchange_of(encoder, "kws01") == Exchange()
