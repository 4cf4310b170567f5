# SPDX-License-Identifier: Apache-2.0
"""A bundle that brought symbolic links: nothing outside of it is written or removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards, workflow
from tinyserve.bundle import Bundle
from tinyserve.errors import FileSystemError
from tinyserve.firmware.export import export
from tinyserve.firmware.render import RENDERED_FILE, render

BOARD = boards.load("cortex-m4")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the user's, with a file that must stay as it is."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "config.h").write_text("mine")
    return directory


@pytest.mark.parametrize("place", ["src", "src/model", "renode"])
def test_a_directory_that_is_a_link_is_not_written_through(tmp_path: Path, outside: Path, place: str) -> None:
    project = tmp_path / "bundle" / "cortex-m4"
    (project / place).parent.mkdir(parents=True)
    (project / place).symlink_to(outside)
    (project / RENDERED_FILE).write_text("")
    with pytest.raises(FileSystemError, match="symbolic link"):
        render(tiny_model(), BOARD, project)
    assert [path.name for path in outside.iterdir()] == ["config.h"]
    assert (outside / "config.h").read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["src/config.h", "board.ld", ".rendered", "firmware.elf", "src/model/tiny.c"]
)
def test_a_file_that_is_a_link_is_not_written_through(tmp_path: Path, outside: Path, name: str) -> None:
    project = tmp_path / "bundle" / "cortex-m4"
    (project / name).parent.mkdir(parents=True)
    (project / name).symlink_to(outside / "config.h")
    if name != RENDERED_FILE:
        (project / RENDERED_FILE).write_text("")
    with pytest.raises(FileSystemError, match="symbolic link"):
        render(tiny_model(), BOARD, project)
    assert (outside / "config.h").read_text() == "mine"


@pytest.mark.parametrize("listed", ["../outside/config.h", "/{outside}/config.h", "link/config.h"])
def test_a_list_of_rendered_files_removes_nothing_outside(tmp_path: Path, outside: Path, listed: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "link").symlink_to(outside)
    (project / RENDERED_FILE).write_text(listed.replace("/{outside}", str(outside)) + "\n")
    try:
        render(tiny_model(), BOARD, project)
    except FileSystemError as error:
        assert "symbolic link" in error.message
    assert (outside / "config.h").read_text() == "mine"


def test_a_projects_directory_in_a_bundle_that_has_any_link_is_refused(tmp_path: Path, outside: Path) -> None:
    made = Bundle(tmp_path, None)  # type: ignore[arg-type]
    (tmp_path / "nano33" / ".pio").mkdir(parents=True)
    (tmp_path / "nano33" / ".pio" / "build").symlink_to(outside)
    with pytest.raises(FileSystemError, match="symbolic link"):
        workflow.inside(made, "nano33")
    (tmp_path / "pico").symlink_to(outside)
    with pytest.raises(FileSystemError, match="symbolic link"):
        workflow.inside(made, "pico")
    assert workflow.inside(made, "new") == tmp_path / "new"


def test_an_export_is_not_written_through_a_link(tmp_path: Path, outside: Path) -> None:
    directory = tmp_path / "export"
    export("cmake", tiny_model(), BOARD, directory)
    for path in sorted((directory / "src").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (directory / "src").rmdir()
    (directory / "src").symlink_to(outside)
    with pytest.raises(FileSystemError, match="symbolic link"):
        export("cmake", tiny_model(), BOARD, directory)
    assert [path.name for path in outside.iterdir()] == ["config.h"]


def test_a_directory_that_the_user_named_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "project").symlink_to(tmp_path / "disk")
    render(tiny_model(), BOARD, tmp_path / "project")
    assert (tmp_path / "disk" / "src" / "config.h").is_file()
