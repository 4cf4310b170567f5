# SPDX-License-Identifier: Apache-2.0
"""The benchmark of single layers: what it measures, compares and refuses."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.compiler.variants.layers import conv_case

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "layers.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_layers", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


layers = _load()
M4 = layers.Column("cortex-m4", "zig")


def _measurement(**fields: object) -> object:
    known = {"layer": "conv2d_a", "core": "cortex-m4", "compiler": "zig", "macs": 500, "instructions": 1000}
    return layers.Measurement(**{**known, **fields})


def test_a_layer_runs_with_tflms_bytes_and_is_taken_from_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "MEASURED", tmp_path / "measured.json")
    case = conv_case(3)
    model = tmp_path / "conv2d_x.tflite"
    model.write_bytes(case.model)
    (first,) = layers.measure_all([model], [M4], 1)
    assert first.failure == "" and first.instructions > 0 and first.macs > 0
    monkeypatch.setattr(layers, "build", None)
    assert layers.measure_all([model], [M4], 1) == [first]


def test_two_percent_more_are_no_regression_and_more_are_one() -> None:
    baseline = {M4: {"conv2d_a": 1000}}
    fine = [_measurement(instructions=1020), _measurement(layer="new"), _measurement(core="cortex-m0")]
    assert layers.regressions(fine, baseline) == []
    (line,) = layers.regressions([_measurement(instructions=1021)], baseline)
    assert "conv2d_a on m4 zig: 1,000 -> 1,021" in line


def test_the_baseline_keeps_other_layers_and_takes_none_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "BASELINE", tmp_path)
    layers.save_baseline([_measurement()], {M4: {"other": 7}})
    layers.save_baseline([_measurement(layer="wrong", failure="bytes differ")], layers.load_baseline([M4]))
    assert layers.load_baseline([M4]) == {M4: {"conv2d_a": 1000, "other": 7}}


def test_families_and_ratios_come_from_the_peers_file(tmp_path: Path) -> None:
    path = tmp_path / "peer.csv"
    path.write_text(
        "name,family,core,tflm_cmsis_insns\nconv2d_a,conv2d,M4,2000\nconv2d_8x8_k3x3_g4,conv2d,M0,5\n"
        "depthwise_9x9x3_k1x5_m1,depthwise,M4,8\ndepthwise_9x9x3_k3x3_m8,depthwise,M4,8\n"
    )
    peer = layers.read_peer(path)
    assert peer.ratio(_measurement()) == 0.5
    assert peer.ratio(_measurement(core="rv32imc")) is None
    assert [peer.family(layer) for layer in peer.families] == [
        "conv2d", "conv2d grouped", "depthwise 1 x k", "depthwise multiplier > 1",
    ]  # fmt: skip
    assert layers.geometric_mean([0.5, 2.0]) == pytest.approx(1.0)


def test_no_directory_of_models_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TINYSERVE_SWEEP", raising=False)
    monkeypatch.setattr(sys, "argv", ["layers.py"])
    assert layers.main() == 2
    assert "TINYSERVE_SWEEP" in capsys.readouterr().err


def test_baselines_name_columns_that_are_measured() -> None:
    columns = [layers.Column(core, compiler) for core in layers.CORES for compiler in layers.COMPILERS]
    baseline = layers.load_baseline(columns)
    assert {column.file for column in baseline} == set(layers.BASELINE.glob("*.json"))
    assert all(count > 0 for counts in baseline.values() for count in counts.values())
