# SPDX-License-Identifier: Apache-2.0
"""What a path holds is told by its content, and what it is instead is said."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.convert.test_pipeline import quantized_model
from tinyserve.convert import sources
from tinyserve.errors import FileSystemError, ModelError, TinyserveError


def test_a_tflite_is_known_by_its_identifier_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(quantized_model())
    found = sources.identify(tmp_path / "model.bin")
    assert found.kind == "tflite"
    assert len(found.sha256) == 64


def test_keras_and_saved_models(models: Path) -> None:
    assert sources.identify(models / "cnn.keras").kind == "keras"
    assert sources.identify(models / "cnn.h5").kind == "keras"
    assert sources.identify(models / "cnn_saved").kind == "saved_model"


def test_the_hash_of_a_directory_knows_names_and_contents(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"1")
    (tmp_path / "b" / "saved_model.pb").write_bytes(b"2")
    (tmp_path / "c" / "more").write_bytes(b"")
    assert len({sources.identify(tmp_path / name).sha256 for name in ("a", "b", "c")}) == 3


WRONG = {
    "empty.keras": (b"", "empty"),
    "page.keras": (b"<!DOCTYPE html><html>404</html>", "a web page"),
    "pointer.h5": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "text.tflite": (b"hello", "this is a text file"),
    "saved_model.pb": (b"\x08\x01\x12\x00" + b"x" * 100, "SavedModel"),
    "half.keras": (b"PK\x03\x04" + b"x" * 100, "ends too early"),
    "random.bin": (bytes(range(128, 256)) * 4, "neither TFLite nor another format"),
    "frozen.pb": (b"\x0a\x10\x0a\x01x\x12\x0bPlaceholder", "frozen TensorFlow graph"),
    "net.mlmodel": (b"\x08\x05\x12\x10abcdefgh", "Core ML"),
    "model.ckpt.index": (b"\0\0abc" * 9, "checkpoint"),
    "model.ckpt.data-00000-of-00001": (b"abc" * 9, "checkpoint"),
    "model.json": (b'{"format": "layers-model"}', "without weights"),
    "old.pth": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(40), "PyTorch pickle"),
    "w.safetensors": (bytes(40), "weights without their model"),
    "net.engine": (b"ptrt" + bytes(40), "TensorRT"),
    "model.tflite.gz": (b"\x1f\x8b" + bytes(40), "gzip"),
}
LEADS_ON = {
    "frozen.pb": "from_frozen_graph",
    "model.ckpt.index": "model.save(",
    "old.pth": "torch.export",
    "random.bin": "give a .keras",
    "text.tflite": "give a .keras",
    "saved_model.pb": "give its directory",
}


@pytest.mark.parametrize("name", WRONG)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, name: str) -> None:
    content, message = WRONG[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        sources.identify(tmp_path / name)
    assert name in caught.value.message
    assert LEADS_ON.get(name, "") in caught.value.hint
    assert caught.value.hint and "tinyserve convert" not in caught.value.hint, "that is what was tried"


def test_onnx_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\x08\x08\x12\x07pytorch" + bytes(40))
    assert sources.identify(tmp_path / "model.bin").kind == "onnx"


def test_a_zip_with_a_model_inside_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("m/saved_model.pb", "")
    with pytest.raises(ModelError, match=r"holds m/saved_model\.pb") as caught:
        sources.identify(tmp_path / "z.zip")
    assert "unpack it" in caught.value.hint


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros(3))
    with pytest.raises(ModelError, match="no model that is known"):
        sources.identify(tmp_path / "d.npz")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a.txt", "")
    with pytest.raises(ModelError, match="no model that is known"):
        sources.identify(tmp_path / "z.zip")


@pytest.mark.parametrize("inside", [[], ["variables"]])
def test_a_directory_that_is_no_saved_model(tmp_path: Path, inside: list[str]) -> None:
    for name in inside:
        (tmp_path / name).mkdir()
    with pytest.raises(ModelError, match=r"saved_model\.pb"):
        sources.identify(tmp_path)


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match="no such file"):
        sources.identify(tmp_path / "nothing.keras")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:  # root may read everything: play the system
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(TinyserveError, match="Permission denied"):
        sources.identify(path)
