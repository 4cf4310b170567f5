# SPDX-License-Identifier: Apache-2.0
"""A cell end to end: real conversion, build and emulation; what a result says, and that it repeats."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.bench.models import CLASSES
from tests.firmware.tiny_model import tiny_model
from tinyserve import bundle, workflow
from tinyserve.bench.matrix import execute
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bench.result import BenchResult, FailedCell
from tinyserve.bundle import Bundle, dequantize
from tinyserve.compiler.host.model import HostModel
from tinyserve.errors import DeviceError, ModelError
from tinyserve.firmware import render
from tinyserve.progress import silent


def make_cell(made: Bundle, folder: Path, board: str = "cortex-m4") -> Cell:
    build = workflow.Build(emulate=True, directory=folder / board)
    return Cell(made.path, board, build=build, runs=3)


@pytest.mark.parametrize("board", ["cortex-m0", "cortex-m4", "nano33", "rv32imc"])
def test_an_emulated_board_gives_equal_outputs_and_the_same_count_every_run(
    classifier: Bundle, tmp_path: Path, board: str
) -> None:
    result = execute.run(make_cell(classifier, tmp_path, board), silent)
    assert result.latency.unit == "instructions"
    assert result.latency.minimum == result.latency.maximum > 0
    assert len(result.latencies) == 3
    assert result.check
    assert result.check.equal == result.check.samples > 0
    assert result.setup.emulated


def test_the_layers_add_up_to_about_the_inference(classifier: Bundle, tmp_path: Path) -> None:
    result = execute.run(make_cell(classifier, tmp_path), silent)
    assert [layer.op for layer in result.layers] == ["CONV_2D", "FULLY_CONNECTED", "SOFTMAX"]
    assert sum(layer.ticks for layer in result.layers) == pytest.approx(result.latency.median, rel=0.05)
    assert result.layers[0].macs == 4 * 4 * 4 * 9
    assert result.layers[1].bytes_written == CLASSES


def test_the_estimate_is_a_range_around_one_to_three_cycles_per_instruction(
    classifier: Bundle, tmp_path: Path
) -> None:
    result = execute.run(make_cell(classifier, tmp_path, "nano33"), silent)
    estimate = result.latency_ms
    assert estimate
    assert estimate.low <= estimate.high
    per_ms = result.setup.clock_hz / 1000
    assert result.latency.median < estimate.low * per_ms < estimate.high * per_ms < 3 * result.latency.median
    energy = result.energy_uj
    assert energy
    assert energy.low > 0


def test_memory_adds_up_and_stays_within_the_board(classifier: Bundle, tmp_path: Path) -> None:
    memory = execute.run(make_cell(classifier, tmp_path, "nano33"), silent).memory
    assert sum(part.bytes for part in memory.flash_parts) == memory.flash_bytes
    assert sum(part.bytes for part in memory.ram_parts) == memory.ram_bytes
    assert memory.flash_limit_bytes and memory.flash_bytes < memory.flash_limit_bytes
    assert memory.stack_used_bytes and memory.stack_size_bytes
    assert memory.stack_used_bytes < memory.stack_size_bytes


def comparable(result: BenchResult) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(result, created_utc=""))


def test_two_directories_give_the_same_json_but_for_the_time(classifier: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(classifier.path, copy)
    first = execute.run(make_cell(classifier, tmp_path / "a"), silent)
    second = execute.run(make_cell(bundle.load(copy), tmp_path / "b"), silent)
    assert comparable(first) == comparable(second)


def test_accuracy_on_the_device_is_the_accuracy_of_its_outputs(
    classifier: Bundle, tmp_path: Path, dataset: Path
) -> None:
    result = execute.run(replace(make_cell(classifier, tmp_path), dataset=dataset), silent)
    with np.load(dataset) as arrays:
        images, labels = arrays["x"], arrays["y"]
    info = classifier.manifest
    compiled = workflow.to_compiled(classifier, None, workflow.Build(), silent)
    model = HostModel(compiled)
    quantized = bundle.quantize(images, info.inputs[0])
    outputs = [model.run([sample[None]])[0] for sample in quantized]
    predicted = [int(dequantize(output, info.outputs[0]).argmax()) for output in outputs]
    assert result.accuracy
    assert result.accuracy.correct == sum(a == b for a, b in zip(predicted, labels, strict=True))
    assert np.sum(result.accuracy.confusion) == len(labels)
    assert result.accuracy.confusion[labels[0]][predicted[0]] > 0


def test_a_limit_takes_the_first_samples(classifier: Bundle, tmp_path: Path, dataset: Path) -> None:
    result = execute.run(replace(make_cell(classifier, tmp_path), dataset=dataset, limit=5), silent)
    assert result.accuracy
    assert result.accuracy.samples == 5


def test_wrong_outputs_are_found_and_the_first_is_named(classifier: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "tampered"
    shutil.copytree(classifier.path, copy)
    with np.load(copy / bundle.SAMPLES_FILE) as arrays:
        named = dict(arrays)
    named["expected_0"] = named["expected_0"].copy()
    named["expected_0"].reshape(len(named["expected_0"]), -1)[1, 2] ^= 1
    np.savez(copy / bundle.SAMPLES_FILE, **named)
    check = execute.run(make_cell(bundle.load(copy), tmp_path), silent).check
    assert check
    assert check.samples - check.equal == 1
    assert check.first_difference.startswith("sample 1: output 0: 1 of 3 bytes differ, the first at 2")


def test_an_unchanged_cell_comes_from_the_cache_and_a_changed_one_does_not(
    classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    one = replace(make_cell(classifier, tmp_path), use_cache=True)
    first = execute.run(one, silent)
    stages: list[str] = []
    assert execute.run(one, lambda stage, done=0, total=0: stages.append(stage)) == first
    assert stages == []
    assert execute.run(replace(one, runs=4), silent).latency.runs == 4


def test_a_damaged_result_in_the_cache_is_measured_again(
    classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    one = replace(make_cell(classifier, tmp_path), use_cache=True)
    first = execute.run(one, silent)
    (kept,) = (tmp_path / "cache" / "bench").iterdir()
    whole = kept.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b'{"schema": 1}', b"\xff\xfe"):
        kept.write_bytes(damaged)
        assert comparable(execute.run(one, silent)) == comparable(first)
        assert len(kept.read_bytes()) == len(whole)


def test_a_cell_that_cannot_run_says_why(classifier: Bundle, tmp_path: Path) -> None:
    outcome = execute.attempt(make_cell(classifier, tmp_path, "nano34"), silent)
    assert isinstance(outcome, FailedCell)
    assert outcome.exit_status == 2
    assert "nano33" in outcome.error


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="needs qemu-system-arm")
def test_unicorn_and_qemu_agree_on_bytes_and_instructions(classifier: Bundle, tmp_path: Path) -> None:
    unicorn = execute.run(make_cell(classifier, tmp_path / "u"), silent)
    qemu = execute.run(replace(make_cell(classifier, tmp_path / "q"), emulator="qemu"), silent)
    assert qemu.setup.device == "qemu"
    assert qemu.latency.median == unicorn.latency.median
    assert qemu.check
    assert qemu.check.equal == qemu.check.samples


def test_the_host_measures_time_and_gives_the_same_bytes(classifier: Bundle, tmp_path: Path) -> None:
    result = execute.run(make_cell(classifier, tmp_path, "host"), silent)
    assert result.latency.unit == "ns"
    assert not result.setup.emulated
    assert result.latency_ms is None
    assert result.check
    assert result.check.equal == result.check.samples


def test_a_model_that_was_swapped_after_its_result_was_kept_is_noticed(
    classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    copy = tmp_path / "copy"
    shutil.copytree(classifier.path, copy)
    one = replace(make_cell(classifier, tmp_path), source=copy, use_cache=True)
    execute.run(one, silent)
    (copy / "model.tflite").write_bytes((copy / "model.tflite").read_bytes() + b"\0")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        execute.run(one, silent)


def test_firmware_of_other_options_on_the_device_is_not_measured_under_these_ones(
    classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render.Project, "firmware_id", "0123456789abcdef")
    with pytest.raises(DeviceError, match="other firmware"):
        execute.run(make_cell(classifier, tmp_path), silent)


def test_the_firmwares_id_covers_kernels_options_and_engine() -> None:
    one = tiny_model()
    files = {**one.sources.files, "tiny.c": f"{one.sources.files['tiny.c']}\n"}
    other = replace(one, sources=replace(one.sources, files=files))
    ids = [render.firmware_id(one, "aot"), render.firmware_id(one, "tflm"), render.firmware_id(other, "aot")]
    assert len(set(ids)) == 3
    assert render.firmware_id(tiny_model(), "aot") == ids[0]
