# SPDX-License-Identifier: Apache-2.0
"""A profile takes an inference apart by layer and by function, on every device that runs here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tinyserve import boards, workflow
from tinyserve.bench.counts import profiling
from tinyserve.bench.counts.profiling import HOST_INSTRUCTIONS, Profile
from tinyserve.bundle import Bundle
from tinyserve.devices.emulators import callgrind
from tinyserve.progress import silent

LAYERS = ["CONV_2D", "FULLY_CONNECTED", "SOFTMAX"]


def profiled(bundle: Bundle, directory: Path, name: str, emulator: str) -> Profile:
    board = boards.load(name)
    build = workflow.Build(emulate=workflow.is_twin(board), directory=directory / "firmware")
    compiled = workflow.to_compiled(bundle, board, build, silent)
    firmware = workflow.to_firmware(bundle, compiled, board, build, silent)
    return profiling.run(bundle, firmware, emulator, "balanced", silent)


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"needs {program}")


@pytest.mark.parametrize(
    ("board", "emulator"),
    [
        ("cortex-m0", "unicorn"),
        pytest.param("mps3-an547", "qemu", marks=needs("qemu-system-arm")),
        pytest.param("rv32imc", "qemu", marks=needs("qemu-system-riscv32")),
        pytest.param("host", "host", marks=needs("valgrind")),
    ],
)
def test_layers_and_functions_both_sum_to_the_inference(
    classifier: Bundle, tmp_path: Path, board: str, emulator: str
) -> None:
    profile = profiled(classifier, tmp_path, board, emulator)
    assert [layer.op for layer in profile.layers] == LAYERS
    assert profile.unit == (HOST_INSTRUCTIONS if board == "host" else "instructions")
    assert profile.note == ""
    # Layers are called one by one from the firmware, and the invoke's own calls lie between them.
    assert abs(sum(layer.ticks for layer in profile.layers) - profile.total) < 20 * len(LAYERS)
    assert abs(sum(one.instructions for one in profile.functions) - profile.total) < 10
    assert all(layer.ticks > 0 for layer in profile.layers)
    assert "ts_model_invoke" in {one.name for one in profile.functions}
    assert ("qemu" in profile.setup.tools) == (emulator == "qemu")


def test_without_valgrind_layers_are_times_and_the_remedy_is_said(
    classifier: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callgrind, "find", lambda: None)
    profile = profiled(classifier, tmp_path, "host", "host")
    assert profile.unit == "ns"
    assert profile.functions == []
    assert "apt install valgrind" in profile.note
    assert [layer.op for layer in profile.layers] == LAYERS
