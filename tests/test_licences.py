# SPDX-License-Identifier: Apache-2.0
"""Every source file names its licence, in the repository and in all that tinyserve writes for others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tests.compiler.tflm.models import add_model
from tests.support.places import CHECKOUT
from tinyserve import boards
from tinyserve.compiler.compile import Compiled, compile_model, write
from tinyserve.compiler.program import PORTABLE
from tinyserve.compiler.tflm.generate import interpret
from tinyserve.firmware.export import KINDS, LIBRARIES, Library, export, export_library
from tinyserve.firmware.render import render
from tinyserve.resources import LICENCE_TAG, licence

# Files that have no comments, or are prose or data.
_WITHOUT = {".md", ".json", ".svg", ".typed", ".pack", ".wasm", ".binpb", ".snapshot"}
_LINES = 12
"""Generated files begin with what they are and where from."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    path = write_classifier(tmp_path_factory.mktemp("model") / "net.tflite")
    return compile_model(path.read_bytes(), name="kws")


def unlicensed(files: list[Path]) -> list[Path]:
    """Those that don't name the licence at their beginning."""
    return [
        path
        for path in files
        if Path(path.name.removesuffix(".j2")).suffix not in _WITHOUT
        and path.name != "LICENSE"
        and not any(LICENCE_TAG in line for line in path.read_text(encoding="utf-8").split("\n")[:_LINES])
    ]


def files_of(directory: Path) -> list[Path]:
    """What was written there, but for the lists of what it was."""
    return [path for path in directory.rglob("*") if path.is_file() and not path.name.startswith(".")]


def test_every_file_of_the_repository_names_its_licence() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, timeout=60, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [CHECKOUT / name for name in listed.stdout.decode().split("\0") if name]
    assert len(paths) > 100
    assert not unlicensed([path for path in paths if path.is_file()])


def test_generated_c_names_its_licence_and_brings_it_along(compiled: Compiled, tmp_path: Path) -> None:
    write(compiled, tmp_path)
    assert len(files_of(tmp_path)) > 4
    assert not unlicensed(files_of(tmp_path))
    assert licence() in (tmp_path / "kernels/LICENSE").read_text(encoding="utf-8")


def test_the_interpreters_glue_names_its_licence(tmp_path: Path) -> None:
    pytest.importorskip("tflite_micro")
    write(interpret(add_model(), PORTABLE), tmp_path)
    assert len(files_of(tmp_path)) == 3
    assert not unlicensed(files_of(tmp_path))
    write(interpret(add_model(), PORTABLE), tmp_path)  # over its own


@pytest.mark.parametrize("emulate", [True, False])
def test_a_rendered_firmware_names_its_licence_and_brings_it_along(
    compiled: Compiled, emulate: bool, tmp_path: Path
) -> None:
    render(compiled, boards.load("nano33"), tmp_path, emulate=emulate)
    assert not unlicensed(files_of(tmp_path))
    assert (tmp_path / "LICENSE").read_text(encoding="utf-8") == licence()


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_names_its_licence_and_brings_it_along(
    compiled: Compiled, kind: str, tmp_path: Path
) -> None:
    for board in ["nano33", *(["cortex-m4"] if kind in ("platformio", "cmake") else [])]:
        directory = tmp_path / kind / board.replace("-", "_")
        export(kind, compiled, boards.load(board), directory)
        assert not unlicensed(files_of(directory))
        assert (directory / "LICENSE").read_text(encoding="utf-8") == licence()


@pytest.mark.parametrize("kind", LIBRARIES)
def test_a_library_names_its_licence_and_brings_it_along(
    compiled: Compiled, kind: str, tmp_path: Path
) -> None:
    export_library(kind, Library("kws", compiled.data, "kws"), tmp_path)
    assert not unlicensed(files_of(tmp_path))
    assert (tmp_path / "LICENSE").read_text(encoding="utf-8") == licence()
