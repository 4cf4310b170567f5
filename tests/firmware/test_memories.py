# SPDX-License-Identifier: Apache-2.0
"""Arenas in several memories: models that fit in none alone are built, run on twins and give TFLM's bytes."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from benchmarks.image_models import mobilenet_v2
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.tflm import Tflm
from tinyserve import boards, workflow
from tinyserve.boards.fit import estimate, fit
from tinyserve.boards.types import Board, Memory
from tinyserve.compiler.compile import Compiled, compile_model, placed
from tinyserve.compiler.program import ONE_MEMORY
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.errors import FitError
from tinyserve.firmware.build import build
from tinyserve.firmware.footprint.demand import demand
from tinyserve.firmware.render import render

SIZE, CHANNELS = 24, 16


@cache
def residual_model() -> bytes:
    """Two convolutions with a skip: three tensors of 9,216 bytes are alive at one time."""
    rng = np.random.default_rng(7)
    model = ModelBuilder()
    graph = model.graph()
    shape = (1, SIZE, SIZE, CHANNELS)
    x = graph.input((1, SIZE, SIZE, 2), "int8", scale=0.05, zero_point=-3)
    value = x
    kept = []
    for index, inputs in enumerate((2, CHANNELS, CHANNELS)):
        weights = rng.integers(-127, 128, (CHANNELS, 3, 3, inputs)).astype(np.int8)
        w = graph.constant(
            weights, scale=[0.01] * CHANNELS, zero_point=[0] * CHANNELS, axis=0, name=f"w{index}"
        )
        made = graph.tensor(shape, "int8", scale=0.4, zero_point=4, name=f"c{index}")
        graph.op("CONV_2D", [value, w], [made], padding="SAME", stride_h=1, stride_w=1)
        kept.append(made)
        value = made
    total = graph.tensor(shape, "int8", scale=0.6, zero_point=0, name="sum")
    graph.op("ADD", [kept[0], kept[2]], [total])
    both = graph.tensor((1, SIZE, SIZE, 2 * CHANNELS), "int8", scale=0.6, zero_point=0, name="both")
    graph.op("CONCATENATION", [total, total], [both], axis=3)
    pooled = graph.tensor((1, 2 * CHANNELS), "int8", scale=0.6, zero_point=0, name="mean")
    axes = graph.constant(np.array([1, 2], np.int32))
    graph.op("MEAN", [both, axes], [pooled], keep_dims=False)
    graph.output(pooled)
    return model.build()


@cache
def dense_model(depth: int, channels: int) -> bytes:
    """Two dense layers; the second, of 16 outputs, is read for every one of the first's 8 rows."""
    rng = np.random.default_rng(9)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((8, depth), "int8", scale=0.05, zero_point=-3)
    value = x
    for name, outputs in (("wide", channels), ("narrow", 16)):
        weights = rng.integers(-127, 128, (outputs, value.shape[1])).astype(np.int8)
        w = graph.constant(weights, scale=0.01, zero_point=0, name=name)
        made = graph.tensor((8, outputs), "int8", scale=0.8, zero_point=2, name=f"{name}_sums")
        graph.op("FULLY_CONNECTED", [value, w], [made])
        value = made
    graph.output(value)
    return model.build()


def tflms_output(model: bytes, *inputs: np.ndarray) -> list[bytes]:  # type: ignore[type-arg]
    theirs = Tflm(model)
    theirs.invoke(list(inputs))
    return [np.asarray(theirs.output(0)).tobytes()]


def board_with(directory: Path, core: str, ram: int, further: dict[str, tuple[int, float]]) -> Board:
    """A generic core with that much RAM, and further memories of so many bytes and cycles per word."""
    known = boards.load(core)
    assert known.flash is not None and known.ram is not None
    lines = [
        'name = "Two banks"', 'vendor = "nobody"', 'mcu = "none"', f'core = "{known.core.name}"',
        "clock_hz = 64_000_000", 'emulators = [{ kind = "unicorn" }]', 'sources = ["made up"]',
        "[flash]", f"origin = {known.flash.origin}", f"bytes = {known.flash.bytes}",
        "[ram]", f"origin = {known.ram.origin}", f"bytes = {ram}", "word_cycles = 2",
    ]  # fmt: skip
    origin = known.ram.origin + (1 << 24)
    for name, (nbytes, cycles) in further.items():
        lines += [
            "[[memory]]", f'name = "{name}"', 'kind = "sram"', f"origin = {origin}", f"bytes = {nbytes}",
            f"word_cycles = {cycles}", 'holds = ["arena"]',
        ]  # fmt: skip
        origin += 1 << 20
    path = directory / "two-banks.toml"
    path.write_text("\n".join(lines))
    return boards.load_file(path)


def compiled_for(board: Board) -> Compiled:
    """For speed: with values that are whole, and not computed by rows."""
    return compile_model(residual_model(), workflow.target(board, "speed"), "model")


def outputs_on_twin(
    compiled: Compiled, board: Board, directory: Path, sample: bytes, runs: int = 2
) -> list[bytes]:
    firmware = build(render(compiled, board, directory, emulate=True))
    with open_device(SimpleNamespace(elf=firmware.elf), board, "unicorn") as device:
        client = Client(device.link)
        client.identify()
        client.load(sample, 0)
        client.infer(runs, 0)
        return [bytes(output) for output in client.outputs()]


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m33", "rv32imc"])
def test_a_model_that_fits_in_no_memory_alone_runs_with_tflms_bytes(core: str, tmp_path: Path) -> None:
    whole = compiled_for(boards.load(core)).plan.arena_bytes
    board = board_with(tmp_path, core, 26 * 1024, {"fast": (10 * 1024, 1), "slow": (10 * 1024, 5)})
    assert whole > 24 * 1024
    compiled = compiled_for(board)
    parts = compiled.plan.parts
    assert len(parts) >= 2 and all(part.nbytes < whole for part in parts)
    assert {part.memory.name for part in parts} >= {"fast"}
    with pytest.raises(FitError, match="does not fit two-banks"):
        build(
            render(placed(compiled_for(boards.load(core)), ONE_MEMORY), board, tmp_path / "one", emulate=True)
        )
    sample = np.random.default_rng(1).integers(-128, 128, SIZE * SIZE * 2).astype(np.int8)
    ours = outputs_on_twin(compiled, board, tmp_path / "several", sample.tobytes())
    assert ours == tflms_output(residual_model(), sample.reshape(1, SIZE, SIZE, 2))


def test_sizes_and_fit_count_each_memory_for_itself(tmp_path: Path) -> None:
    whole = compiled_for(boards.load("cortex-m4")).plan.arena_bytes
    board = board_with(tmp_path, "cortex-m4", whole * 5 // 8 + 9 * 1024, {"bank": (whole * 5 // 8, 1)})
    compiled = compiled_for(board)
    linked, estimated = demand(compiled, board), estimate(compiled)
    (part,) = (part for part in compiled.plan.parts if part.memory.name == "bank")
    assert linked.elsewhere == estimated.elsewhere == (("bank", part.nbytes),)
    assert abs(linked.ram_bytes - estimated.ram_bytes) < 1024
    assert fit(linked, board) != "too large"
    alone = placed(compiled, ONE_MEMORY)
    assert fit(demand(compile_model(residual_model(), alone.program.target), board), board) == "too large"


def test_an_arena_that_fits_the_fastest_memory_lies_there_in_one_piece(tmp_path: Path) -> None:
    board = board_with(tmp_path, "cortex-m4", 1 << 17, {"dtcm": (1 << 16, 1), "far": (1 << 20, 9)})
    compiled = compiled_for(board)
    assert [part.memory.name for part in compiled.plan.parts] == ["dtcm"]
    text = str(compiled.sources.files["model.c"])
    assert '#define TS_MODEL_ARENA_ATTRIBUTE TS_UNINITIALIZED(".tinyserve_dtcm")' in text
    assert "ARENA_1" not in text
    firmware = build(render(compiled, board, tmp_path / "built", emulate=True))
    assert firmware.sizes is not None and firmware.sizes.elsewhere == (("dtcm", compiled.plan.arena_bytes),)


def test_a_place_that_is_chosen_by_hand_holds(tmp_path: Path) -> None:
    """The macro of each arena overrides what the compiler chose."""
    whole = compiled_for(boards.load("cortex-m4")).plan.arena_bytes
    board = board_with(tmp_path, "cortex-m4", whole * 2, {"fast": (whole // 2, 1)})
    compiled = compiled_for(board)
    names = [part.memory.name for part in compiled.plan.parts]
    text = str(compiled.sources.files["model.c"])
    assert sorted(names) == ["fast", "ram"]
    for number, name in enumerate(names):
        macro = f"TS_MODEL_ARENA_{number}_ATTRIBUTE" if number else "TS_MODEL_ARENA_ATTRIBUTE"
        given = ' TS_UNINITIALIZED(".tinyserve_fast")' if name == "fast" else ""
        assert f"#ifndef {macro}\n#define {macro}{given}\n#endif" in text


@pytest.mark.parametrize("core", ["cortex-m4", "rv32imc"])
def test_weights_that_flash_has_no_room_for_lie_in_another(core: str, tmp_path: Path) -> None:
    """The layer that is read most per byte stays in the faster."""
    board = board_with(tmp_path, core, 1 << 16, {})
    path = tmp_path / "two-flashes.toml"
    text = (tmp_path / "two-banks.toml").read_text()
    assert board.flash is not None
    text = text.replace(f"bytes = {board.flash.bytes}", f"bytes = {80 * 1024}")
    path.write_text(
        f'{text}\n[[memory]]\nname = "qspi"\nkind = "external-flash"\norigin = 0x90000000\n'
        f'bytes = {1 << 20}\nholds = ["weights"]\n'
    )
    board = boards.load_file(path)
    model = dense_model(512, 200)
    compiled = compile_model(model, workflow.target(board, "balanced"), "model")
    moved = {constant.name: memory.name for constant, memory in compiled.plan.weights.items()}
    assert "qspi" in moved.values() and not any("narrow" in name for name in moved)
    weights = str(compiled.sources.files["weights.h"])
    assert '#define TS_MODEL_WEIGHTS_1_ATTRIBUTE __attribute__((section(".tinyserve_qspi")))' in weights
    linked, estimated = demand(compiled, board), estimate(compiled)
    assert linked.elsewhere == estimated.elsewhere and linked.flash_bytes < 80 * 1024
    assert fit(linked, board) != "too large"
    sample = np.random.default_rng(2).integers(-128, 128, (8, 512)).astype(np.int8)
    ours = outputs_on_twin(compiled, board, tmp_path / "built", sample.tobytes())
    assert ours == tflms_output(model, sample)


def test_a_teensy_keeps_in_flash_what_its_ram_has_no_room_for(tmp_path: Path) -> None:
    """Its linker script copies constants to RAM, all but those in a section of their own."""
    board, model = boards.load("teensy41"), dense_model(1024, 700)
    compiled = compile_model(model, workflow.target(board, "balanced"), "model")
    kept = sum(constant.nbytes for constant in compiled.plan.weights)
    assert kept > 700_000 and {memory.section for memory in compiled.plan.weights.values()} == {".progmem"}
    needs = demand(compiled, board)
    assert needs.kept_bytes >= kept and fit(needs, board) == "fits"
    alone = placed(compiled, ONE_MEMORY).program.target
    assert fit(estimate(compile_model(model, alone)), board) == "too large"
    sample = np.random.default_rng(3).integers(-128, 128, (8, 1024)).astype(np.int8)
    ours = outputs_on_twin(compiled, board, tmp_path, sample.tobytes())
    assert ours == tflms_output(model, sample)


def test_mobilenet_v2_of_224_pixels_runs_whole_on_a_portenta() -> None:
    """TFLM's arena for it is 1.5 MB. Weights that on-chip flash has no room for lie in the board's other one,
    which is left to its product unless a board file says that it is mapped."""
    board = boards.load("portenta-h7")
    mapped = Memory("qspi", "external-flash", 0x90000000, 1 << 24, holds=["weights"])
    board = msgspec.structs.replace(board, memory=[*board.memory, mapped])
    model = mobilenet_v2(1.0, 224)
    compiled = compile_model(model, workflow.target(board, "balanced"), "model")
    assert compiled.plan.arena_bytes < 330_000
    assert compiled.plan.parts[0].memory.name == "dtcm"
    sample = np.random.default_rng(1).integers(-128, 128, (1, 224, 224, 3)).astype(np.int8)
    with tempfile.TemporaryDirectory() as directory:  # tens of megabytes, which pytest would keep
        ours = outputs_on_twin(compiled, board, Path(directory), sample.tobytes(), runs=1)
    assert ours == tflms_output(model, sample)
