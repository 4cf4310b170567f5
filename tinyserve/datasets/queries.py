# SPDX-License-Identifier: Apache-2.0
"""Samples from a database: one of each row that a query gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyserve import bundle
from tinyserve.bundle import TensorInfo
from tinyserve.databases import open_database
from tinyserve.datasets.named import Array, label_columns, only_input
from tinyserve.errors import DataError
from tinyserve.words import counted

ROWS = 8192
_HINT = "check the query in the database's own shell"


def save(place: str, query: str, inputs: Sequence[TensorInfo], folder: Path) -> int:
    """Writes the rows of ``query`` on ``place`` (a SQLite file, or a PostgreSQL URL) into ``folder`` as a
    data set of .npz files, so that they are the same however often they are read. Returns their number.

    A row is a sample: its columns, and the elements of columns that are arrays, are the input's values in
    order; columns that are named like labels are passed over. Raises DataError for rows that do not fit,
    FileSystemError for what the database says.
    """
    info = only_input(Path("--query"), inputs)
    count = 0
    database = open_database(place, (), _HINT, synchronous="NORMAL", busy_s=10)
    try:
        for columns, rows in database.stream(query, ROWS):
            named = label_columns(columns)
            labels = {index for index, name in enumerate(columns) if name in named}
            np.savez(folder / f"rows-{count:012d}.npz", x=_samples(rows, labels, info, count))
            count += len(rows)
    finally:
        database.close()
    if count == 0:
        raise DataError("--query: it gives no rows", _HINT)
    return count


def _samples(rows: Sequence[Sequence[Any]], labels: set[int], info: TensorInfo, first: int) -> Array:
    shape = bundle.sample_shape(info)
    elements = int(np.prod(shape))
    values = np.empty((len(rows), elements), np.float64)
    for index, row in enumerate(rows):
        cells = [cell for place, cell in enumerate(row) if place not in labels]
        values[index] = _row(cells, elements, f"--query: row {first + index}", info)
    return values.reshape(len(rows), *shape)


def _row(cells: Sequence[Any], elements: int, where: str, info: TensorInfo) -> Array:
    flat = [one for cell in cells for one in (cell if isinstance(cell, list) else [cell])]
    if len(flat) != elements:
        raise DataError(
            f"{where} has {counted(len(flat), 'value')}, the input '{info.name}' takes "
            f"{elements} {info.shape}",
            "select the columns that the model was trained with, in that order; name a label column 'label'",
        )
    try:
        return np.array([np.nan if one is None else float(one) for one in flat])
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: not numbers: {error}", "cast the columns in the query") from error
