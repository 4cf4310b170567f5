# SPDX-License-Identifier: Apache-2.0
"""Data sets of any size, a piece at a time: memory is that of one piece.

Streams .npy and .npz (compressed or not), Parquet, and directories of .npz, Parquet or images. Other kinds of
data are read whole and cut. Every piece is matched with the model's inputs and checked as ``data.load`` does.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from tinyserve import npz
from tinyserve.bundle import TensorInfo
from tinyserve.datasets import arrays, columns, images, readers, series
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.named import AS_IT_IS, Array, Named, Reading, is_label, label_columns
from tinyserve.errors import DataError
from tinyserve.files import refuse_special, with_ending

_WHOLE = 1 << 14


@dataclass(frozen=True)
class Part:
    """Consecutive samples. ``read`` does what can be done apart from other pieces, in any thread: images are
    decoded, samples matched with the model's inputs and checked. Raises DataError."""

    samples: int
    read: Callable[[], Dataset]

    def __len__(self) -> int:
        return self.samples


@dataclass(frozen=True)
class Stream:
    """A data set that is read as it is run over. ``total`` samples; ``pieces`` may be gone through once."""

    origin: str
    total: int
    pieces: Iterator[Part]


def open_stream(path: Path, inputs: Sequence[TensorInfo], piece: int, reading: Reading = AS_IT_IS) -> Stream:
    """The data set at ``path`` in pieces of ``piece`` samples for the model's inputs.

    Raises DataError, now or when a piece turns out to be bad (with the number of its first sample).
    """
    if not path.exists():
        raise DataError(
            f"{path}: no such file or directory", "give a .npz, .npy, .parquet, .csv or .wav, or a directory"
        )
    refuse_special(path)
    if reading.time:
        rows = series.opened(path, inputs, reading)
        return _checked(path, rows.total(), rows.pieces(piece), inputs, reading)
    files = _parts(path)
    if path.suffix.lower() in _OPENERS and path.is_file():
        total, named = _OPENERS[path.suffix.lower()](path, inputs, piece)
    elif path.is_dir() and images.image_files(path)[0]:
        return _images(path, inputs, piece, reading)
    elif files:
        total, named = _directory(files, inputs, piece)
    else:
        whole = readers.load(path, inputs, reading)
        cuts = (np.arange(i, min(i + piece, len(whole))) for i in range(0, len(whole), piece))
        return Stream(str(path), len(whole), (Part(len(cut), partial(whole.take, cut)) for cut in cuts))
    return _checked(path, total, named, inputs, reading)


def load(where: Path | str, inputs: Sequence[TensorInfo], reading: Reading = AS_IT_IS) -> Dataset:
    """As ``readers.load``, and Parquet, and rows with a time, which are read whole."""
    path = Path(where)
    parquet = path.suffix.lower() == ".parquet" or any(part.suffix == ".parquet" for part in _parts(path))
    if not path.exists() or not (reading.time or parquet):
        return readers.load(where, inputs, reading)
    parts = [part.read() for part in open_stream(path, inputs, _WHOLE, reading).pieces]
    joined = [np.concatenate(arrays) for arrays in zip(*(part.inputs for part in parts), strict=True)]
    labels = [part.labels for part in parts if part.labels is not None]
    if len(labels) not in (0, len(parts)):
        raise DataError(f"{path}: only some of its files have labels", "labels in all of them, or none")
    return Dataset(joined, np.concatenate(labels) if labels else None, str(path), classes=parts[0].classes)


def _checked(
    path: Path, total: int, named: Iterator[Named], inputs: Sequence[TensorInfo], reading: Reading
) -> Stream:
    if total == 0:
        raise DataError(f"{path}: holds no samples", "give at least one")
    return Stream(str(path), total, (_matched(part, inputs, reading) for part in named))


def _matched(named: Named, inputs: Sequence[TensorInfo], reading: Reading) -> Part:
    arrays = [*named.arrays.values(), *([] if named.labels is None else [named.labels])]
    return Part(len(arrays[0]), partial(readers.match, named, inputs, reading))


def _origin(path: Path, first: int, count: int) -> str:
    return f"{path} (samples {first} to {first + count - 1})"


def _parts(path: Path) -> list[Path]:
    """The files of a directory that together are a data set, as Spark writes them, by name."""
    if not path.is_dir():
        return []
    return [file for file in with_ending(path.iterdir(), _PARTS) if file.name[0] not in "._"]


def _directory(parts: list[Path], inputs: Sequence[TensorInfo], piece: int) -> tuple[int, Iterator[Named]]:
    opened = [_OPENERS[part.suffix.lower()](part, inputs, piece) for part in parts]
    return sum(total for total, _ in opened), (named for _, pieces in opened for named in pieces)


def _npy(path: Path, _: Sequence[TensorInfo], piece: int) -> tuple[int, Iterator[Named]]:
    with _explained(path):
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    total = shape[0] if shape else 0
    return total, _npy_pieces(path, total, piece)


def _npy_pieces(path: Path, total: int, piece: int) -> Iterator[Named]:
    for first in range(0, total, piece):
        with _explained(path):  # mapped again for each piece, or all that was read would stay in memory
            part = np.array(np.load(path, mmap_mode="r", allow_pickle=False)[first : first + piece])
        yield Named({path.stem: part}, None, _origin(path, first, len(part)))


class _Member:
    """An array inside a .npz, read from front to back."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        self._file = file
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        self.shape, fortran, self._dtype = read(file)
        if self._dtype.hasobject:
            raise ValueError("Object arrays cannot be streamed")
        if fortran and len(self.shape) > 1:
            raise ValueError("the array is in Fortran order: save numpy.ascontiguousarray(x)")

    @property
    def row_bytes(self) -> int:
        """Bytes of one sample."""
        return math.prod(self.shape[1:]) * self._dtype.itemsize

    def take(self, count: int) -> Array:
        """The next ``count`` rows."""
        wanted = count * self.row_bytes
        raw = self._file.read(wanted)
        if len(raw) != wanted:
            raise EOFError(f"'{self.name}' ends too early")
        return np.frombuffer(raw, self._dtype).reshape(count, *self.shape[1:])


def _npz(path: Path, _: Sequence[TensorInfo], piece: int) -> tuple[int, Iterator[Named]]:
    with ExitStack() as stack, _explained(path):
        npz.check_headers(path)
        members = _members(stack, path)
        npz.check_memory(sum(member.row_bytes for member in members) * piece)
        totals = {member.name: member.shape[0] if member.shape else 0 for member in members}
    lengths = set(totals.values())
    if len(lengths) > 1:
        listed = ", ".join(f"'{name}': {count}" for name, count in totals.items())
        raise DataError(f"{path}: the arrays differ in length ({listed})", "save one row per sample in each")
    total = max(lengths, default=0)
    return total, _npz_pieces(path, total, piece)


def _npz_pieces(path: Path, total: int, piece: int) -> Iterator[Named]:
    with ExitStack() as stack, _explained(path):
        members = _members(stack, path)
        for first in range(0, total, piece):
            count = min(piece, total - first)
            arrays = {member.name: member.take(count) for member in members}
            labels = [arrays.pop(name) for name in list(arrays) if is_label(name)]
            yield Named(arrays, labels[0] if labels else None, _origin(path, first, count))


def _members(stack: ExitStack, path: Path) -> list[_Member]:
    """Each over a handle of its own, so that they can be read in step."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    handles = [stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(name)) for name in names]
    return [_Member(file, name.removesuffix(".npy")) for file, name in zip(handles, names, strict=True)]


class _explained:
    """Makes DataError of whatever damaged archives raise."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, arrays.UNREADABLE) and not isinstance(error, MemoryError):
            raise arrays.unreadable(self.path, error) from error


def _images(path: Path, inputs: Sequence[TensorInfo], piece: int, reading: Reading) -> Stream:
    files, classes = images.image_files(path)

    def decoded(first: int, part: Sequence[Path]) -> Dataset:
        origin = _origin(path, first, len(part))
        return readers.match(images.read_files(part, classes, inputs, reading, origin), inputs)

    cuts = ((first, files[first : first + piece]) for first in range(0, len(files), piece))
    pieces = (Part(len(part), partial(decoded, first, part)) for first, part in cuts)
    return Stream(str(path), len(files), pieces)


def _parquet(path: Path, inputs: Sequence[TensorInfo], piece: int) -> tuple[int, Iterator[Named]]:
    """Columns of numbers, or of lists of numbers. A column named like a label is the label; a column named
    as an input is that input; otherwise all other columns together are the one input, in order."""
    file = columns.open_file(path)
    names = file.schema_arrow.names
    label = next(iter(label_columns(names)), None)
    features = [name for name in names if name != label]
    if not features:
        raise DataError(f"{path}: no column but the label '{label}'", "add the inputs, named as the model's")
    wanted = [info.name for info in inputs]
    by_name = all(name in features for name in wanted)
    if not by_name and len(inputs) != 1:
        raise DataError(f"{path}: lacks the columns {', '.join(wanted)}", "name the columns after the inputs")
    wanted_columns = wanted if by_name else features

    def pieces() -> Iterator[Named]:
        first = 0
        for batch in columns.batches_of(file, path, piece, wanted_columns + ([label] if label else [])):
            origin = _origin(path, first, len(batch))
            values = {name: columns.values_of(batch.column(name), origin, name) for name in wanted_columns}
            labels = None if label is None else batch.column(label).to_numpy(zero_copy_only=False)
            if not by_name:
                parts = [value.reshape(len(batch), -1) for value in values.values()]
                values = {inputs[0].name: np.concatenate(parts, axis=1)}
            shaped = {info.name: _shape(values[info.name], info) for info in inputs}
            yield Named(shaped, labels, origin)
            first += len(batch)

    return file.metadata.num_rows, pieces()


def _shape(values: Array, info: TensorInfo) -> Array:
    """Flat rows in the input's shape, where the number of values fits (else ``match`` says so)."""
    shape = info.shape[1:] if info.shape[:1] == [1] else info.shape
    flat = values.reshape(len(values), -1)
    return flat.reshape(len(values), *shape) if flat.shape[1] == math.prod(shape) else values


_OPENERS: dict[str, Callable[[Path, Sequence[TensorInfo], int], tuple[int, Iterator[Named]]]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".parquet": _parquet,
}
_PARTS = (".npz", ".parquet")  # a directory of .npy holds one array per input, or per sample
