# SPDX-License-Identifier: Apache-2.0
"""What `bench` refuses before it has done any work: nothing is converted, compiled or run for it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.bench.models import write_classifier, write_dataset
from tinyserve.cli.main import main
from tinyserve.report.forms import FORMS

BENCH = ["bench", "shapes.tflite", "--board", "cortex-m4"]


@pytest.fixture(autouse=True)
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    write_classifier(tmp_path / "shapes.tflite")
    write_dataset(tmp_path / "test.npz")
    np.savez(tmp_path / "unlabelled.npz", x=np.zeros((2, 8, 8, 1), np.float32))
    (tmp_path / "file").write_text("no directory")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    (tmp_path / "trace.csv").write_text("no trace")


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    """Exit status and message; fails where any work was begun."""
    status = main(arguments)
    shown = capsys.readouterr()
    assert "…" not in shown.err
    assert shown.out == ""
    assert not Path("build").exists()
    return status, shown.err


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--engine", "aot", "--engine", "tflm"], 2, "can't be built by zig"),
        (
            ["--engine", "aot", "--engine", "tflm", "--toolchain", "gcc", "--tflm", "gone"],
            2,
            "gone: there is no",
        ),
        (["--dataset", "gone.npz"], 5, "gone.npz: no such file"),
        (["--dataset", "broken.npz"], 5, "broken.npz"),
        (["--budget", "gone.toml"], 9, "gone.toml: No such file"),
        (["--budget", "file"], 2, "file is not TOML"),
        (["--baseline", "gone.json"], 9, "gone.json: No such file"),
        (["--baseline", "file"], 5, "file is not a bench result"),
        (["--tolerance", "instructions=1"], 2, "--tolerance is about a baseline"),
        (["--json", "file/bench.json"], 9, "is not a directory"),
        (["--html", "."], 9, "is a directory"),
        (["--github-summary"], 2, "$GITHUB_STEP_SUMMARY is not set"),
        (["--scenario", "server"], 2, "needs a latency bound"),
        (["--scenario", "offline", "--latency-bound-ms", "5"], 2, "means nothing for --scenario offline"),
        (["--limit", "5"], 2, "--limit is about a data set"),
        (["--supply-v", "3"], 2, "--supply-v is about a meter"),
        (["--energy", "scope"], 2, "no such meter: scope"),
        (["--energy", "file:gone.csv"], 9, "gone.csv: No such file"),
        (["--energy", "file:trace.csv"], 5, "trace.csv: holds no trace"),
        (["--energy", "serial:/dev/gone"], 8, "there is no port /dev/gone"),
        (["--port", "/dev/gone"], 8, "there is no such port"),
        (["--port", "file"], 8, "cannot open file: it is no serial port"),
        (["--port", "."], 8, "cannot open .: it is no serial port"),
        (["--energy", "serial:file"], 8, "file is no serial port"),
        (["--port", "/dev/gone", "--board", "cortex-m3"], 2, "--port takes one cell, and there are 2"),
        (["--emulator", "simulator"], 2, 'emulator "simulator" does not run it'),
        (["--scheduler", "somewhere"], 2, "no address"),
    ],
)
def test_what_cannot_work_is_said_before_any_work(
    capsys: pytest.CaptureFixture[str], options: list[str], status: int, said: str
) -> None:
    found, shown = refused(capsys, [*BENCH, *options])
    assert said in shown
    assert found == status


def test_a_board_without_a_time_takes_no_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    bench = ["bench", "shapes.tflite", "--board", "cortex-m55", "--scenario", "offline"]
    status, shown = refused(capsys, bench)
    assert status == 2
    assert "cortex-m55: instructions alone give no time" in shown


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("option", [f"--{form}" for form in FORMS])
def test_a_report_where_nothing_can_be_written_is_refused(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    status, shown = refused(capsys, [*BENCH, option, "/proc/bench"])
    assert status == 9
    assert "cannot write to /proc" in shown


@pytest.mark.skipif(os.name != "posix", reason="needs /proc")
def test_a_summary_that_cannot_be_written_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "file/summary.md")
    assert refused(capsys, [*BENCH, "--github-summary"])[0] == 9


def test_a_data_set_of_another_model_is_refused_before_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("other.npz", x=np.zeros((2, 5), np.float32), y=np.zeros(2, np.int64))
    assert main([*BENCH, "--dataset", "other.npz"]) == 5
    shown = capsys.readouterr().err
    assert "the model takes (N, 8, 8, 1)" in shown
    assert "compiling" not in shown


def test_a_data_set_without_labels_is_refused_once_the_model_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A model that gives its input back needs no labels, so the data alone does not tell."""
    assert main([*BENCH, "--dataset", "unlabelled.npz"]) == 5
    assert "unlabelled.npz: has no labels" in capsys.readouterr().err
