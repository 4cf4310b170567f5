# SPDX-License-Identifier: Apache-2.0
"""The road: steps that are missing are done, steps whose inputs have not changed are not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.models import write_classifier, write_dataset
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards, workflow
from tinyserve.errors import FileSystemError, UnsupportedError, UsageError
from tinyserve.progress import silent
from tinyserve.resources import data_directory
from tinyserve.workflow import Build, Conversion


class Stages:
    """Remembers which stages were begun."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        self.names.append(stage)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_classifier(tmp_path / "shapes.tflite")


def test_an_unchanged_conversion_is_not_repeated(source: Path, tmp_path: Path) -> None:
    conversion = Conversion(output=tmp_path / "bundle")
    first = workflow.to_bundle(source, conversion, silent)
    stages = Stages()
    assert workflow.to_bundle(source, conversion, stages).manifest == first.manifest
    assert stages.names == []


@pytest.mark.parametrize("change", ["model", "data", "name"])
def test_a_changed_input_or_option_converts_again(source: Path, tmp_path: Path, change: str) -> None:
    data = write_dataset(tmp_path / "calibration.npz")
    conversion = Conversion(representative=str(data), output=tmp_path / "bundle")
    workflow.to_bundle(source, conversion, silent)
    if change == "model":
        write_classifier(source, seed=2)
    elif change == "data":
        write_dataset(data, samples=13)
    else:
        conversion = replace(conversion, name="other")
    stages = Stages()
    workflow.to_bundle(source, conversion, stages)
    assert stages.names


def test_what_only_the_interpreter_runs_becomes_a_bundle_for_it(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    inputs = [graph.input((4,), "int16", scale=0.1) for _ in range(2)]
    greater = graph.tensor((4,), "bool")
    graph.op("GREATER", inputs, [greater])
    graph.output(greater)
    source = tmp_path / "greater.tflite"
    source.write_bytes(model.build())
    conversion = Conversion(output=tmp_path / "bundle")
    with pytest.raises(UnsupportedError, match="int16") as caught:
        workflow.to_bundle(source, conversion, silent)
    assert "--per-layer keep=" in caught.value.hint
    assert "--engine" not in caught.value.hint  # TFLM runs it, and computes something else
    made = workflow.to_bundle(source, replace(conversion, engine="tflm"), silent)
    assert any("only for the engine tflm" in note for note in made.manifest.notes)
    assert made.model_bytes() == source.read_bytes()


def test_a_bundle_is_taken_as_it_is(source: Path, tmp_path: Path) -> None:
    made = workflow.to_bundle(source, Conversion(output=tmp_path / "bundle"), silent)
    stages = Stages()
    assert workflow.to_bundle(made.path, Conversion(), stages) == made
    assert stages.names == []


def test_without_an_output_the_bundle_is_in_build(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert workflow.to_bundle(source, Conversion(), silent).path == Path("build/shapes.bundle")


def test_a_tflite_needs_no_bundle_to_be_compiled(source: Path, tmp_path: Path) -> None:
    data, name = workflow.model_bytes(source, Conversion(output=tmp_path / "bundle"), silent)
    assert (data, name) == (source.read_bytes(), "shapes")
    assert not (tmp_path / "bundle").exists()


def test_firmware_of_different_options_lies_in_different_directories(source: Path, tmp_path: Path) -> None:
    made = workflow.to_bundle(source, Conversion(output=tmp_path / "bundle"), silent)
    board = boards.load("cortex-m4")
    places = set()
    for build in (Build(), Build(optimize="size")):
        compiled = workflow.to_compiled(made, board, build, silent)
        places.add(workflow.to_firmware(made, compiled, board, build, silent).elf.parent.name)
    assert places == {"cortex-m4", "cortex-m4-size"}


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match=r"none\.keras: no such file"):
        workflow.to_bundle(tmp_path / "none.keras", Conversion(), silent)


def test_digests_depend_on_names_and_contents_but_not_on_places(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text("1")
    assert workflow.digest([tmp_path / "a"]) == workflow.digest([tmp_path / "b"])
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    assert workflow.digest([tmp_path / "a"]) != workflow.digest([tmp_path / "b"])


@pytest.mark.parametrize(
    ("board", "emulate", "emulator", "port", "chosen"),
    [
        ("cortex-m4", False, None, None, "unicorn"),
        ("cortex-m4", False, "qemu", None, "qemu"),
        ("nano33", True, None, None, "unicorn"),
        ("host", False, None, None, "host"),
        ("nano33", False, None, "/dev/ttyACM0", None),
    ],
)
def test_what_runs_the_firmware(
    board: str, emulate: bool, emulator: str | None, port: str | None, chosen: str | None
) -> None:
    assert workflow.choose_emulator(boards.load(board), emulate, emulator, port) == chosen


@pytest.mark.parametrize(
    ("board", "emulate", "emulator", "port", "said"),
    [
        ("nano33", False, None, None, "no port is named"),
        ("nano33", True, None, "auto", "--port names a real board"),
        ("cortex-m0", False, "qemu", None, "qemu"),
    ],
)
def test_contradictions_are_usage_errors(
    board: str, emulate: bool, emulator: str | None, port: str | None, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        workflow.choose_emulator(boards.load(board), emulate, emulator, port)
    assert said in str(caught.value)


def test_boards_with_too_little_memory_do_not_fit(source: Path) -> None:
    small = boards.load("nano33")
    tiny = type(small)(**{
        **{name: getattr(small, name) for name in small.__struct_fields__},
        "id": "tiny", "ram": type(small.ram)(0x20000000, 1024),
    })  # fmt: skip
    assert workflow.boards_that_fit(source, Conversion(), "balanced", [small, tiny], silent) == [small]


@pytest.mark.parametrize("name", ["firmware_templates", "boards"])
def test_results_of_other_templates_or_boards_are_not_this_ones(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def directory_of(wanted: str) -> Path:
        copy = tmp_path / wanted
        if not copy.exists():
            shutil.copytree(data_directory(wanted), copy)
        return copy

    monkeypatch.setattr(workflow, "data_directory", directory_of)
    workflow._own_digest.cache_clear()
    before = workflow.package_digest()
    file = next(path for path in sorted(directory_of(name).rglob("*")) if path.is_file())
    file.write_bytes(file.read_bytes() + b"\n")
    workflow._own_digest.cache_clear()
    assert workflow.package_digest() != before
    workflow._own_digest.cache_clear()
