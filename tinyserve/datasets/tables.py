# SPDX-License-Identifier: Apache-2.0
"""Samples from CSV files: windows over the rows, as sensors are recorded."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyserve import bundle
from tinyserve.bundle import TensorInfo
from tinyserve.datasets.named import Array, Named, Reading, folders_of, is_number, label_columns, only_input
from tinyserve.errors import DataError
from tinyserve.escapes import visible
from tinyserve.files import with_ending
from tinyserve.words import counted

SUFFIXES = frozenset({".csv"})


def read(path: Path, inputs: Sequence[TensorInfo], reading: Reading) -> Named:
    """Windows of one file, or of all files of a directory (no window spans two files).

    A window is as many rows as the input takes of the columns there are. A column named like a label gives
    each window the label of its last row, a number or a name; without one, directories are classes. Raises
    DataError.
    """
    info = only_input(path, inputs)
    files = with_ending(path.rglob("*"), SUFFIXES) if path.is_dir() else [path]
    tables = [_table(file, reading) for file in files]
    classes = folders_of(path, files) if all(label is None for _, label in tables) else []
    windows, labels = [], []
    for file, (values, label) in zip(files, tables, strict=True):
        length = _window(file, values.shape[1], info)
        step = reading.stride or length
        number = classes.index(file.parent.name) if classes else None
        for end in range(length, len(values) + 1, step):
            windows.append(values[end - length : end].reshape(bundle.sample_shape(info)))
            labels.append(number if label is None else label[end - 1])
    if not windows:
        raise DataError(
            f"{path}: no file has the rows of one window of the input '{info.name}' {info.shape}",
            "record longer, or check that the columns are those of the training",
        )
    known = None if any(label is None for label in labels) else np.array(labels)
    return Named({info.name: np.stack(windows)}, known, str(path), tuple(classes))


def _window(file: Path, columns: int, info: TensorInfo) -> int:
    """Rows of one sample. A row holds the values of the last axes, or a part of an input of one axis."""
    shape = [extent for extent in bundle.sample_shape(info) if extent != 1]
    elements = int(np.prod(shape))
    fits = elements % columns == 0
    if fits and len(shape) > 1:
        fits = columns in {int(np.prod(shape[axis:])) for axis in range(len(shape) + 1)}
    if not fits:
        raise DataError(
            f"{file}: {counted(columns, 'column of values does', 'columns of values do')} not fit the input "
            f"'{info.name}' of shape {info.shape}",
            "keep the columns that the model was trained with, in that order; name a label column 'label', "
            "and a column of times with --time",
        )
    return elements // columns


def _table(file: Path, reading: Reading) -> tuple[Array, Array | None]:
    """Values (rows, columns) and labels (rows,), numbers or names; an empty cell is NaN where values may be
    missing."""
    empty = "nan" if reading.missing else ""
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            rows = [row for row in csv.reader(opened) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read as CSV: {error}", "save it as UTF-8 text") from error
    if not rows:
        raise DataError(f"{file}: is empty", "give rows of numbers, with or without a header")
    header = None if all(is_number(cell.strip() or empty) for cell in rows[0]) else rows.pop(0)
    width = len(header or rows[0])
    labels = label_columns(header or [])
    marked = [index for index, name in enumerate(header or []) if name in labels]
    wanted = [index for index in range(width) if index not in marked]
    values = np.empty((len(rows), len(wanted)), dtype=np.float64)
    for index, row in enumerate(rows):
        try:
            if len(row) != width or not all(row[place].strip() for place in marked):
                raise ValueError
            values[index] = [float(row[place].strip() or empty) for place in wanted]
        except ValueError:
            line = index + 1 + (header is not None)
            raise DataError(
                f"{file}, line {line}: not {counted(len(wanted), 'number')}"
                f"{' and a label' if marked else ''}: {visible(','.join(row)[:60])}",
                "name the column of class names 'label', and remove rows that are incomplete",
            ) from None
    return values, _labels([row[marked[0]].strip() for row in rows]) if marked else None


def _labels(cells: list[str]) -> Array:
    """Numbers where all of them are, else names."""
    return np.array([float(cell) for cell in cells] if all(map(is_number, cells)) else cells)
