# SPDX-License-Identifier: Apache-2.0
"""compile_model and write: nothing half-written, nothing of others overwritten."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.compiler.host.test_model import add_model
from tinyserve.compiler.compile import compile_model, write
from tinyserve.errors import FileSystemError, ModelError


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_writes_exactly_the_sources(tmp_path: Path) -> None:
    compiled = compile_model(add_model())
    written = write(compiled, tmp_path / "out" / "deep")
    expected = {path: str(text).encode() for path, text in compiled.sources.files.items()}
    assert contents(tmp_path / "out" / "deep") == expected
    assert sorted(written) == sorted(tmp_path / "out" / "deep" / path for path in expected)


def test_a_second_model_replaces_the_first_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    write(compile_model(add_model(4)), tmp_path)
    second = compile_model(add_model(6))
    write(second, tmp_path)
    assert (tmp_path / "model.h").read_text() == second.sources.files["model.h"]
    assert (tmp_path / "main.c").read_text() == "int main(void) { return 0; }\n"
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["model.c", "weights.h", "kernels/add.h"])
def test_a_foreign_file_in_the_way_is_kept_and_nothing_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("/* mine */\n")
    with pytest.raises(FileSystemError, match="in the way"):
        write(compile_model(add_model()), tmp_path)
    assert contents(tmp_path) == {name: b"/* mine */\n"}


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.c"
    target.write_text("/* mine */\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.c").symlink_to(target)
    with pytest.raises(FileSystemError, match="in the way"):
        write(compile_model(add_model()), tmp_path / "out")
    assert target.read_text() == "/* mine */\n"


def test_a_file_where_the_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(FileSystemError, match="out"):
        write(compile_model(add_model()), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.ENOSPC, "free some space"), (errno.EFBIG, "ulimit -f"), (errno.EACCES, "make this one writable")],
)
def test_what_to_try_is_true_of_why_nothing_could_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    def fails(path: Path, data: bytes) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(FileSystemError) as caught:
        write(compile_model(add_model()), tmp_path / "out")
    assert hint in caught.value.hint


def test_a_disk_that_fills_up_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(compile_model(add_model(4)), tmp_path)
    before = contents(tmp_path)
    plain, left = Path.write_bytes, [2]

    def full(self: Path, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device", str(self))
        return plain(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileSystemError, match="No space left"):
        write(compile_model(add_model(6)), tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x00" * 64, add_model()[:200]], ids=range(4))
def test_what_is_no_model_is_a_model_error(data: bytes) -> None:
    with pytest.raises(ModelError):
        compile_model(data)
