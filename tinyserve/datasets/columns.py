# SPDX-License-Identifier: Apache-2.0
"""Parquet, column by column and batch by batch. Needs pyarrow."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyserve.datasets.named import Array
from tinyserve.errors import DataError, ToolError

_READ_BYTES = 1 << 20


def names(path: Path) -> list[str]:
    """The columns. Raises DataError."""
    return list(open_file(path).schema_arrow.names)


def batches(path: Path, rows: int, columns: Sequence[str]) -> Iterator[Any]:
    """Record batches of a file, of up to so many rows, with these columns in this order."""
    return batches_of(open_file(path), path, rows, columns)


def open_file(path: Path) -> Any:
    """A ``pyarrow.parquet.ParquetFile``. Raises DataError, ToolError without pyarrow."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ToolError("pyarrow is needed to read Parquet", "pip install 'tinyserve[data]'") from error
    try:
        # With the defaults a whole row group, which may be the whole file, would be in memory.
        return parquet.ParquetFile(
            path, pre_buffer=False, buffer_size=_READ_BYTES, page_checksum_verification=True
        )
    except Exception as error:  # pyarrow's own exceptions and OSError
        raise _damaged(path, error) from error


def batches_of(file: Any, path: Path, rows: int, columns: Sequence[str]) -> Iterator[Any]:
    """Record batches of so many rows; pyarrow may cut them shorter where its row groups end."""
    batches = file.iter_batches(batch_size=rows, columns=list(columns))
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:  # pages are read and checked as they are come to
            raise _damaged(path, error) from error
        yield batch


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: cannot be read as Parquet: {error}", "write it again")


def values_of(column: Any, origin: str, name: str) -> Array:
    """A column as an array, lists as rows (N, values); they must be of one length."""
    values = column.storage if hasattr(column, "storage") else column
    while hasattr(values, "value_lengths"):
        lengths = np.asarray(values.value_lengths())
        if values.null_count or (lengths != lengths[:1]).any():
            raise DataError(
                f"{origin}: the column '{name}' is no table of numbers: its lists differ in length",
                "give every sample as many values",
            )
        values = values.flatten()
    array = np.asarray(values.to_numpy(zero_copy_only=False))
    return array if len(array) == len(column) else array.reshape(len(column), -1)
