# SPDX-License-Identifier: Apache-2.0
"""The serial protocol of firmware whose model is fed by rows, spoken with the host build over pipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiler.bands.test_feed import BY_ROWS, drawn, small
from tests.firmware.conversation import Conversation
from tinyserve import boards
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render

BYTES, ROW = 288, 24
VALUE = drawn((1, 12, 6, 4))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiled = compile_model(small(), BY_ROWS)
    project = render(compiled, boards.load("host"), tmp_path_factory.mktemp("fed"), model_id="vww01")
    assert "inputs" not in (project.directory / "src/model_io.c").read_text().split("model_inputs")[0]
    return build(project).elf


@pytest.fixture
def device(program: Path) -> Iterator[Conversation]:
    with Conversation(program) as conversation:
        conversation.greeting = conversation.read_answer()
        yield conversation


def load(device: Conversation, data: bytes, piece: int) -> None:
    assert device.ask(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
    for start in range(0, len(data), piece):
        last = device.ask(f"db {data[start : start + piece].hex()}")
    assert last == ["m-load-done"]


def output(device: Conversation) -> bytes:
    (line, done) = device.ask("ts-output 0")
    assert done == "ts-output-done"
    return bytes.fromhex(line.removeprefix("ts-output-[").removesuffix("]"))


@pytest.mark.parametrize("piece", [1, 7, ROW, 100, BYTES])
def test_rows_are_taken_as_they_come_in_pieces_of_any_size(device: Conversation, piece: int) -> None:
    load(device, VALUE.tobytes(), piece)
    started, ticks = device.ask("ts-infer 1 0")
    assert started == "ts-started" and int(ticks.removeprefix("ts-ticks-[").removesuffix("]")) > 0
    assert output(device) == HostModel(compile_model(small())).run([VALUE])[0].tobytes()


def test_an_input_serves_one_inference(device: Conversation) -> None:
    assert device.ask("ts-infer 1 0") == ["e-[input incomplete, rows are missing: 12]"]
    load(device, VALUE.tobytes(), 50)
    for command in ("ts-infer 2 0", "ts-infer 1 1", "ts-infer"):
        (refused,) = device.ask(command)
        assert refused.startswith("e-[ts-infer: the input is fed by rows")
    assert device.ask("infer 1 0")[0].startswith("e-[infer: the input is fed by rows")
    assert device.ask("db print")[0].startswith("e-[db print")
    assert len(device.ask("ts-infer 1 0")) == 2
    assert device.ask("ts-infer 1 0") == ["e-[input incomplete, rows are missing: 12]"]
    assert len(device.ask("results")) == 1  # still those


def test_a_load_that_begins_again_forgets_the_rows_before(device: Conversation) -> None:
    other = bytes(BYTES)
    device.ask(f"db load {BYTES}")
    device.ask(f"db {other[:100].hex()}")
    assert device.ask(f"db {other.hex()}") == ["e-[db: more bytes than expected, room is left for: 188]"]
    assert device.ask("ts-infer 1 0") == ["e-[input incomplete, rows are missing: 8]"]
    assert device.ask("ts-output 0") == ["e-[no inference yet]"]
    load(device, VALUE.tobytes(), 64)
    device.ask("ts-infer 1 0")
    assert output(device) == HostModel(compile_model(small())).run([VALUE])[0].tobytes()
    load(device, VALUE.tobytes(), 64)
    assert device.ask("ts-reset") == []
    assert device.ask("ts-infer 1 0") == ["e-[input incomplete, rows are missing: 12]"]
    device.ask(f"db load {BYTES}")
    device.ask(f"db {other[:100].hex()}")
    device.ask("ts-reset")
    assert device.ask("db 00") == ["e-[db: more bytes than expected, room is left for: 0]"]


def test_a_device_says_that_it_is_fed(device: Conversation) -> None:
    assert "ts-info-[input_rows=12]" in device.ask("ts-info")
    assert len([line for line in device.ask("ts-profile") if line.startswith("e-")]) == 1
    load(device, VALUE.tobytes(), 64)
    layers = [line for line in device.ask("ts-profile") if line.startswith("ts-layer-[")]
    assert len(layers) == 2  # the band and the dense layer
