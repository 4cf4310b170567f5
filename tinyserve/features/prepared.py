# SPDX-License-Identifier: Apache-2.0
"""Features as a Parquet file of any size, written as they are computed. Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve import files
from tinyserve.errors import DataError
from tinyserve.extras import parquet_writer

Array = npt.NDArray[Any]
Piece = tuple[Array, Array | None]
"""Features (N, ...) of some samples, and their labels."""
_GROUP = 1 << 14
"""Samples of a row group: what a reader has in memory."""


def write(path: Path, pieces: Iterable[Piece]) -> tuple[int, ...]:
    """Columns: x, a list of float32 per sample, and y where there are labels; returns the shape of all
    features. The file's metadata ``shape`` say what shape a list has. All pieces have labels, or none has.

    The file appears whole or not at all. Raises FileSystemError, DataError for labels of other types than
    those before, ToolError without pyarrow, and what computing the pieces raises.
    """
    arrow, parquet = parquet_writer(otherwise="-o FILE.npz")
    groups = _groups(iter(pieces))
    first = next(groups, None)
    if first is None:
        raise DataError("there is no sample", "give at least one")
    count, shape = 0, first[0].shape[1:]
    schema = _table(arrow, first).schema.with_metadata({"shape": json.dumps(list(shape))})
    with files.staged(path) as staged, parquet.ParquetWriter(staged, schema, write_page_checksum=True) as out:
        for group in chain([first], groups):
            out.write_table(_as_before(arrow, group, schema, count))
            count += len(group[0])
    return (count, *shape)


def _groups(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same samples in row groups."""
    held: list[Piece] = []
    for piece in pieces:
        held.append(piece)
        if sum(len(x) for x, _ in held) >= _GROUP:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(pieces: list[Piece]) -> Piece:
    labels = [y for _, y in pieces if y is not None]
    return np.concatenate([x for x, _ in pieces]), np.concatenate(labels) if labels else None


def _as_before(arrow: Any, group: Piece, schema: Any, first: int) -> Any:
    """The table of a group, whose first sample has this number, with the types of the groups before."""
    try:
        return _table(arrow, group).cast(schema)
    except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
        raise DataError(
            f"labels of samples {first} to {first + len(group[0]) - 1} are of another type than those "
            f"before: {error}",
            "give labels of one type in all files",
        ) from error


def _table(arrow: Any, group: Piece) -> Any:
    columns = {"x": group[0], "y": group[1]}
    return arrow.table(
        {name: _column(arrow, values) for name, values in columns.items() if values is not None}
    )


def _column(arrow: Any, values: Array) -> Any:
    """Numbers, or lists of as many numbers each."""
    if values.ndim == 1:
        return arrow.array(values)
    rows = np.ascontiguousarray(values).reshape(len(values), -1)
    return arrow.FixedSizeListArray.from_arrays(arrow.array(rows.reshape(-1)), rows.shape[1])
