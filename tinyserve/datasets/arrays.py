# SPDX-License-Identifier: Apache-2.0
"""Samples from numpy files: .npz, .npy, and directories of .npy. Pickles are refused without being loaded."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from tinyserve import npz
from tinyserve.datasets.named import Array, Named, is_label
from tinyserve.errors import DataError
from tinyserve.files import with_ending


def read_npz(path: Path) -> Named:
    """The arrays of a .npz; labels are recognised by their names."""
    try:
        arrays = npz.load(path)
    except UNREADABLE as error:
        raise unreadable(path, error) from error
    labels = [arrays.pop(name) for name in list(arrays) if is_label(name)]
    return Named(arrays, labels[0] if labels else None, str(path))


def read_directory(path: Path) -> Named:
    """A directory of .npy files is one input; a directory of directories has one per input."""
    files = with_ending(path.iterdir(), (".npy",))
    labels = [file for file in files if is_label(file.stem)]
    samples = [file for file in files if file not in labels]
    label = read_array(labels[0]) if labels else None
    if samples:
        return Named({path.name: _join(samples, path)}, label, str(path))
    folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir()]
    found = {folder.name: with_ending(folder.iterdir(), (".npy",)) for folder in folders}
    arrays = {name: _join(parts, path / name) for name, parts in found.items() if parts}
    if not arrays:
        raise DataError(f"{path}: there is no .npy file in this directory", "save samples with numpy.save")
    return Named(arrays, label, str(path))


def read_npy(path: Path) -> Named:
    """The array of a .npy, under the file's name."""
    return Named({path.stem: read_array(path)}, None, str(path))


def _join(files: list[Path], where: Path) -> Array:
    """Files of equal shape are one sample each; files that differ in the first dimension are batches."""
    arrays = [read_array(file) for file in files]
    shapes = {array.shape for array in arrays}
    if len(files) == 1:
        return arrays[0]
    if len(shapes) == 1:
        return np.stack(arrays)
    if len({shape[1:] for shape in shapes}) == 1 and all(shapes):
        return np.concatenate(arrays)
    odd = next(file for file, array in zip(files, arrays, strict=True) if array.shape != arrays[0].shape)
    raise DataError(
        f"{where}: the files differ in shape ({files[0].name}: {arrays[0].shape}, {odd.name}: "
        f"{read_array(odd).shape})",
        "save every sample with the same shape",
    )


def read_array(path: Path) -> Array:
    """The array of a .npy."""
    try:
        array: Array = npz.load_array(path)
    except UNREADABLE as error:
        raise unreadable(path, error) from error
    return array


UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)


def unreadable(path: Path, error: BaseException) -> DataError:
    """What one of ``UNREADABLE`` means for a file of arrays."""
    text = str(error)
    if any(word in text for word in ("allow_pickle", "Object arrays", "Python objects")):
        return DataError(
            f"{path}: holds Python objects (a pickle), which would run code on loading",
            "save plain numeric arrays: numpy.savez(path, x=numpy.asarray(samples, dtype='float32'))",
        )
    return DataError(
        f"{path}: cannot be read as numpy data: {text or type(error).__name__}",
        "the file may be truncated or of another type: write it again with numpy.savez or numpy.save",
    )
