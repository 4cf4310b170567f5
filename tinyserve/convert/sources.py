# SPDX-License-Identifier: Apache-2.0
"""What kind of trained model a path is, by content rather than by suffix alone."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinyserve.compiler.graph import sniff
from tinyserve.convert import other_tools
from tinyserve.errors import FileSystemError, ModelError
from tinyserve.files import refuse_special

Kind = Literal["tflite", "keras", "saved_model", "onnx", "pytorch", "sklearn"]
_PICKLES = frozenset({".joblib", ".pkl", ".pickle"})
_HDF5 = b"\x89HDF\r\n\x1a\n"
_EXPORT = other_tools.EXPORT_PYTORCH
_MODELS = (".tflite", ".keras", ".h5", ".onnx", ".pt2", ".joblib")
_INSIDE = frozenset({"saved_model.pb"})
_GIVE = "give a .keras, .h5, .onnx, .pt2, .joblib or .tflite file, or a SavedModel directory"


@dataclass(frozen=True)
class SourceModel:
    """A trained model on disk. ``sha256`` covers the file, or the names and contents of the directory."""

    path: Path
    kind: Kind
    sha256: str


def identify(path: Path) -> SourceModel:
    """Raises FileSystemError where ``path`` can't be read, ModelError where it is no model that is known."""
    if not path.exists():
        raise FileSystemError(f"{path}: no such file or directory", "check the path")
    refuse_special(path)
    try:
        kind = _directory_kind(path) if path.is_dir() else _file_kind(path)
        return SourceModel(path, kind, _sha256(path))
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check its permissions") from error


def _directory_kind(path: Path) -> Kind:
    if (path / "saved_model.pb").is_file():
        return "saved_model"
    if (path / "fingerprint.pb").exists() or (path / "variables").is_dir():
        raise ModelError(
            f"{path}: a SavedModel without saved_model.pb: the copy is incomplete",
            "copy the whole directory again",
        )
    raise ModelError(f"{path}: this directory holds no saved_model.pb", _GIVE)


def _file_kind(path: Path) -> Kind:
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise ModelError(f"{path}: the file is empty", "export or copy the model again")
    if head[4:8] == b"TFL3":
        return "tflite"
    if head.startswith(_HDF5):
        return "keras"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if path.suffix.lower() in _PICKLES:
        return "sklearn"
    if (elsewhere := other_tools.about(path, head)) is not None:
        raise ModelError(f"{path}: {elsewhere.what}", elsewhere.hint)
    if (path.suffix.lower() == ".onnx" and head[:1] == b"\x08") or sniff.is_onnx(head):
        return "onnx"
    kind, hint = sniff.kind_of(head)
    if path.suffix.lower() in {".keras", ".h5", ".hdf5"}:
        raise ModelError(
            f"{path}: not a Keras model: this is {kind}",
            "the download or copy may have failed: save it again with model.save()",
        )
    raise ModelError(f"{path}: no model: this is {kind}", _GIVE if hint == sniff.GIVE_TFLITE else hint)


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile:
        raise ModelError(
            f"{path}: an archive that ends too early or is damaged",
            "the download or copy may have failed: get or save it again",
        ) from None
    if "config.json" in names:
        return "keras"
    if any(name.endswith(("models/model.json", "serialized_exported_program.json")) for name in names):
        return "pytorch"
    if any("/code/" in name or name.endswith("constants.pkl") for name in names):
        raise ModelError(f"{path}: TorchScript (torch.jit), which holds no exported program", _EXPORT)
    if any(name.endswith("data.pkl") for name in names):
        raise ModelError(
            f"{path}: a PyTorch pickle (torch.save: a state_dict or a whole model), which has weights but no "
            "graph, and would run code on loading",
            _EXPORT,
        )
    inside = next(
        (name for name in sorted(names) if Path(name).name in _INSIDE or name.endswith(_MODELS)), ""
    )
    if inside:
        raise ModelError(f"{path}: a zip archive that holds {inside}", "unpack it, and give what is inside")
    raise ModelError(f"{path}: a zip archive that is no model that is known", _GIVE)


def _sha256(path: Path) -> str:
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        total.update(f"{file.relative_to(path).as_posix()}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
