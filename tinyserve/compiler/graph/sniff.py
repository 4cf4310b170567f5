# SPDX-License-Identifier: Apache-2.0
"""Says what a file is that is not a .tflite model, and what to do with it."""

from __future__ import annotations

import codecs

from tinyserve.errors import ModelError

_CONVERT = "convert it: `tinyserve convert FILE --representative DATA -o DIRECTORY`"
GIVE_TFLITE = "give the .tflite file itself"

# Leading bytes, what has them, what to try.
_SIGNATURES = (
    (b"\x89HDF\r\n\x1a\n", "a Keras HDF5 model (.h5)", _CONVERT),
    (b"version https://git-lfs", "a Git LFS pointer, not the model itself", "run `git lfs pull`"),
    (b"\x93NUMPY", "a NumPy array (.npy)", GIVE_TFLITE),
    (
        b"\x08\x01\x12",
        "a TensorFlow saved_model.pb",
        "give the SavedModel's directory to `tinyserve convert`",
    ),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"\x7fELF", "an ELF program", GIVE_TFLITE),
    *(
        (bytes([0x80, protocol]), "a Python pickle (joblib, scikit-learn or an old PyTorch file)", _CONVERT)
        for protocol in range(2, 6)
    ),
)

_ZIP_MEMBERS = (
    (b"model.weights.h5", "a Keras 3 model (.keras)", _CONVERT),
    (b"metadata.json", "a Keras 3 model (.keras)", _CONVERT),
    (b"data.pkl", "a PyTorch model", "export it with torch.export (.pt2), then `tinyserve convert`"),
    (b".npy", "a NumPy archive (.npz)", GIVE_TFLITE),
)

_TEXT_PROBE = 512


def wrong_file(data: bytes) -> ModelError:
    """The error for a file without the TFLite identifier: names what the file is where it is known."""
    kind, hint = kind_of(data)
    return ModelError(f"not a .tflite model: this is {kind}", hint)


def kind_of(data: bytes) -> tuple[str, str]:
    """What the first bytes of a file belong to, and what to give instead where a .tflite is wanted."""
    if not data:
        return "an empty file", "export the model again"
    if data.startswith(b"PK\x03\x04"):
        return _zip_kind(data)
    for signature, kind, hint in _SIGNATURES:
        if data.startswith(signature):
            return kind, hint
    if is_onnx(data):
        return "an ONNX model", _CONVERT
    if data[4:7] == b"TFL" and data[7:8] != b"3":
        return (
            f"a TFLite file of schema version {data[7:8]!r}, which is not 3",
            "export it with a current LiteRT",
        )
    return _text_kind(data) or ("neither TFLite nor another format that tinyserve knows", GIVE_TFLITE)


def _zip_kind(data: bytes) -> tuple[str, str]:
    for member, kind, hint in _ZIP_MEMBERS:
        if member in data:
            return kind, hint
    return "a zip archive", "unpack it, or convert it with `tinyserve convert` if it holds a trained model"


def is_onnx(data: bytes) -> bool:
    """ModelProto starts with ir_version (field 1, 3..127), then mostly the producer's name (field 2)."""
    return len(data) > 4 and data[0] == 0x08 and 3 <= data[1] < 0x80 and data[2] in (0x12, 0x1A, 0x3A, 0x42)


def _text_kind(data: bytes) -> tuple[str, str] | None:
    probe = data[:_TEXT_PROBE]
    if any(byte < 0x20 and byte not in b"\t\r\n\f" for byte in probe) or not _is_utf8(probe):
        return None
    lowered = probe.lower()
    if b"<html" in lowered or b"<!doctype" in lowered:
        return "a web page", "download the raw file (on GitHub: the Raw button)"
    if b"unsigned char" in lowered or b"uint8_t" in lowered or b"#include" in lowered:
        return (
            "C source, perhaps a model dumped as an array",
            "turn it back into bytes with `xxd -r -p`, or export again",
        )
    if lowered.lstrip().startswith((b"{", b"[")):
        return "JSON text", GIVE_TFLITE
    return "a text file", GIVE_TFLITE


def _is_utf8(probe: bytes) -> bool:
    """Whether the bytes are text, or its beginning."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(probe)
    except UnicodeDecodeError:
        return False
    return True
