# SPDX-License-Identifier: Apache-2.0
"""What may be read: files, not what need not end; and what may be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.test_bundle import INPUT, write
from tinyserve import bundle, files
from tinyserve.convert import sources
from tinyserve.datasets import readers, stream
from tinyserve.errors import FileSystemError
from tinyserve.files import refuse_special
from tinyserve.workflow import STEPS_FILE

NAMES = (bundle.MANIFEST_FILE, bundle.MODEL_FILE, bundle.SAMPLES_FILE, STEPS_FILE)


def make_special(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["pipe", "link to a device"])
@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_with_a_file_that_need_not_end_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = write(tmp_path / "b").path
    make_special(path / name, kind)
    with pytest.raises(FileSystemError, match=f"{name} is a pipe, a device or a socket"):
        bundle.load(path)


@pytest.mark.parametrize("kind", ["pipe", "link to a device"])
@pytest.mark.parametrize("place", ["data.npz", "directory/data.npy", "directory/class/picture.png"])
def test_so_is_such_a_data_set(tmp_path: Path, place: str, kind: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    make_special(path, kind)
    given = tmp_path / Path(place).parts[0]
    with pytest.raises(FileSystemError, match="is a pipe, a device or a socket"):
        readers.load(given, [INPUT])
    with pytest.raises(FileSystemError, match="is a pipe, a device or a socket"):
        stream.open_stream(given, [INPUT], 1)


@pytest.mark.parametrize("place", ["m.tflite", "saved/saved_model.pb", "saved/variables/variables.index"])
def test_so_is_such_a_model(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    make_special(path, "pipe")
    with pytest.raises(FileSystemError, match="is a pipe, a device or a socket"):
        sources.identify(tmp_path / Path(place).parts[0])


def test_directories_that_link_to_themselves_are_gone_through_once(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    refuse_special(tmp_path)


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127, "模" * 85], ids=["ascii", "latin", "chinese"])
def test_the_longest_names_are_written(tmp_path: Path, name: str) -> None:
    """The file that takes the place of another has a name of its own meanwhile."""
    files.check_writable(tmp_path / name)
    files.write(tmp_path / name, b"all")
    assert (tmp_path / name).read_bytes() == b"all"
    assert len(list(tmp_path.iterdir())) == 1
