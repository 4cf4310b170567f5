# SPDX-License-Identifier: Apache-2.0
"""Every command of the workflow, run as a user runs it, on a small model."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from tests.bench.models import write_classifier, write_dataset
from tinyserve import boards
from tinyserve.cli.main import main
from tinyserve.report.text.boards import board_table

pytestmark = pytest.mark.usefixtures("workshop")


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "shapes.tflite")
    return tmp_path


def test_convert_then_every_later_step_on_the_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "shapes.tflite", "-o", "build/shapes"]) == 0
    assert "1×8×8×1" in capsys.readouterr().out
    assert main(["inspect", "build/shapes"]) == 0
    assert "CONV_2D" in capsys.readouterr().out
    assert main(["build", "build/shapes", "--board", "nano33", "--emulate"]) == 0
    shown = capsys.readouterr().out
    assert "flash by part" in shown
    assert "stack of an invoke" in shown
    assert main(["bench", "build/shapes", "--board", "cortex-m4", "--json", "bench.json"]) == 0
    assert "equal byte for byte" in capsys.readouterr().out
    assert json.loads(Path("bench.json").read_text())["results"][0]["latency"]["unit"] == "instructions"


def test_compile_writes_c_that_a_plain_compiler_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "shapes.tflite", "-o", "out", "--name", "shapes"]) == 0
    assert "ts_shapes_invoke" in Path("out/shapes.h").read_text()
    compiler = shutil.which("cc")
    assert compiler
    command = [
        compiler,
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Werror",
        "-Iout",
        "-c",
        "out/shapes.c",
    ]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.parametrize("stage", ["graph", "program", "memory", "c"])
def test_inspect_prints_each_stage(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "shapes.tflite", "--stage", stage]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 5


@pytest.mark.parametrize("name", ["arena.png", "arena.svg"])
def test_inspect_draws_the_arena_the_same_way_every_time(name: str) -> None:
    pytest.importorskip("matplotlib")
    assert main(["inspect", "shapes.tflite", "--picture", name]) == 0
    first = Path(name).read_bytes()
    assert main(["inspect", "shapes.tflite", "--picture", name]) == 0
    assert Path(name).read_bytes() == first
    if name.endswith(".svg"):
        assert "edges" in first.decode()


def test_a_picture_of_another_format_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "shapes.tflite", "--picture", "arena.bmp"]) == 2
    assert ".png, .svg, .pdf" in capsys.readouterr().err


def test_bench_writes_every_kind_of_report(monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(Path("test.npz"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    command = [
        "bench", "shapes.tflite", "--board", "cortex-m4", "--dataset", "test.npz", "--json", "r/bench.json",
        "--html", "r/bench.html", "--junit", "r/bench.xml", "--markdown", "r/bench.md", "--github-summary",
    ]  # fmt: skip
    assert main(command) == 0
    assert json.loads(Path("r/bench.json").read_text())["results"][0]["accuracy"]["samples"] == 12
    assert "<svg" in Path("r/bench.html").read_text()
    assert ElementTree.parse("r/bench.xml").getroot().tag == "testsuites"
    assert Path("r/bench.md").read_text() == Path("summary.md").read_text()


def test_a_broken_budget_ends_in_3_with_the_reports_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("budget.toml").write_text("[limits]\ninstructions = 10\nflash_bytes = 10_000_000\n")
    command = [
        "bench",
        "shapes.tflite",
        "--board",
        "cortex-m4",
        "--budget",
        "budget.toml",
        "--json",
        "bench.json",
    ]
    assert main(command) == 3
    shown = capsys.readouterr()
    assert "broken budgets" in shown.out
    assert "1 budget limits broken" in shown.err
    assert Path("bench.json").exists()


def test_a_baseline_that_was_better_ends_in_3_and_an_equal_one_does_not() -> None:
    bench = ["bench", "shapes.tflite", "--board", "cortex-m4"]
    assert main([*bench, "--json", "main.json"]) == 0
    assert main([*bench, "--baseline", "main.json"]) == 0
    better = json.loads(Path("main.json").read_text())
    better["results"][0]["latency"]["p90"] -= 1
    Path("better.json").write_text(json.dumps(better))
    assert main([*bench, "--baseline", "better.json"]) == 3
    assert main([*bench, "--baseline", "better.json", "--tolerance", "instructions=5"]) == 0


def test_compare_shows_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    for board in ("cortex-m4", "cortex-m0"):
        assert main(["bench", "shapes.tflite", "--board", board, "--json", f"{board}.json"]) == 0
    capsys.readouterr()
    assert main(["compare", "cortex-m4.json", "cortex-m0.json"]) == 0
    shown = capsys.readouterr().out
    assert "instructions" in shown
    assert "board: cortex-m4 → cortex-m0" in shown
    assert main(["compare", "cortex-m4.json", "cortex-m0.json", "--strict"]) == 3


def test_a_matrix_with_a_broken_cell_shows_the_others_and_ends_in_its_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = [
        "bench",
        "shapes.tflite",
        "--board",
        "cortex-m4",
        "--board",
        "esp32dev",
        "--emulate",
        "--json",
        "m.json",
    ]
    assert main(command) == 2
    assert "esp32dev failed" in capsys.readouterr().out
    report = json.loads(Path("m.json").read_text())
    assert [result["setup"]["board"] for result in report["results"]] == ["cortex-m4"]
    assert [failure["board"] for failure in report["failures"]] == ["esp32dev"]


def test_profile_shows_layers_and_functions(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["profile", "shapes.tflite", "--emulate", "--board", "cortex-m4", "--json", "profile.json"]) == 0
    )
    shown = capsys.readouterr().out
    assert "SOFTMAX" in shown
    profile = json.loads(Path("profile.json").read_text())
    counted = sum(function["instructions"] for function in profile["functions"])
    assert abs(counted - profile["total"]) < 10  # the call of the invoke lies between the two


def test_boards_lists_and_filters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    assert "nano33" in capsys.readouterr().out
    assert main(["boards", "--fits", "shapes.tflite", "--json"]) == 0
    assert "nano33" in [board["id"] for board in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize("command", ["compile", "inspect", "build"])
def test_a_damaged_model_is_named_and_nothing_is_written(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cut.tflite").write_bytes(Path("shapes.tflite").read_bytes()[:-600])
    more = {"compile": ["-o", "out"], "inspect": [], "build": ["--board", "cortex-m4"]}[command]
    assert main([command, "cut.tflite", *more]) == 4
    assert "error: cut.tflite: " in capsys.readouterr().err
    assert not Path("out").exists()
    assert not list(Path().glob("build/*"))


def test_the_list_of_boards_cuts_no_figures_off_on_a_narrow_terminal() -> None:
    chosen = boards.all_boards()
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(board_table(chosen, console.width))
    lines = console.export_text().splitlines()
    assert not any("…" in line for line in lines)
    for board in chosen:
        line = next(line for line in lines if line.split()[:1] == [board.id])
        if board.flash and board.ram:
            assert f"{board.flash.bytes // 1024:,} KiB" in line
            assert f"{board.ram.bytes // 1024:,} KiB" in line


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["bench", "shapes.tflite", "--board", "nano34", "--emulate"], 2, "nano33"),
        (["bench", "shapes.tflite", "--board", "nano33"], 2, "--emulate"),
        (["bench", "none.tflite", "--board", "cortex-m4"], 9, "none.tflite"),
        (["bench", "shapes.tflite", "--board", "cortex-m4", "--dataset", "none.npz"], 5, "none.npz"),
        (["bench", "shapes.tflite", "--board", "cortex-m4", "--budget", "none.toml"], 9, "none.toml"),
        (
            ["bench", "shapes.tflite", "--board", "cortex-m4", "--baseline", "shapes.tflite"],
            5,
            "shapes.tflite",
        ),
        (["bench", "shapes.tflite", "--board", "cortex-m4", "--json", "."], 9, "is a directory"),
        (
            ["bench", "shapes.tflite", "--board", "cortex-m4", "--json", "shapes.tflite/x.json"],
            9,
            "not a directory",
        ),
        (["bench", "shapes.tflite", "--board", "cortex-m4", "--github-summary"], 2, "GITHUB_STEP_SUMMARY"),
        (["convert", "shapes.tflite", "--input-shape", "1by2"], 2, "1x49x10x1"),
        (["compare", "shapes.tflite", "shapes.tflite"], 5, "is not a bench result"),
    ],
)
def test_bad_input_is_one_message_with_its_status(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert main(arguments) == status
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert shown.count("error:") == 1
