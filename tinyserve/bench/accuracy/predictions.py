# SPDX-License-Identifier: Apache-2.0
"""Predictions on disk: a Parquet file per piece of a data set, so that a run can be taken up where it ended.

A directory of such files is a data set to pandas, polars, DuckDB and Spark. ``_run.json`` says what was run.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.datasets.named import Reading
from tinyserve.errors import FileSystemError
from tinyserve.extras import parquet_writer
from tinyserve.files import write
from tinyserve.quality.rows import Rows

RUN_FILE = "_run.json"  # readers of Parquet directories pass over names that begin so
Array = npt.NDArray[Any]


class Run(msgspec.Struct, frozen=True):
    """What predictions are of: taken up again only where all of it is the same."""

    model_sha256: str
    dataset: str
    dataset_bytes: int
    dataset_mtime_ns: int
    samples: int
    piece: int
    reading: str
    output: str
    task: str


class Store:
    """A directory of predictions. Opening it removes what another run left there."""

    def __init__(self, directory: Path, run: Run) -> None:
        self.directory = directory
        self._arrow, self._parquet = parquet_writer("predictions")
        described = msgspec.json.encode(run)
        if self._described() != described:
            self._clear()
            write(directory / RUN_FILE, described)

    def load(self, index: int) -> Rows | None:
        """The piece, where it was finished before."""
        path = self._path(index)
        if not path.is_file():
            return None
        try:
            table = self._parquet.read_table(path, page_checksum_verification=True)
        except Exception:  # half a file, or a damaged one: made again
            return None
        columns = {name: _values(table.column(name)) for name in table.column_names}
        first = int(columns.pop("sample")[0])
        return Rows(first, **columns)

    def save(self, index: int, rows: Rows) -> None:
        """Writes a piece in one step. Raises FileSystemError."""
        columns = {
            "sample": np.arange(rows.first, rows.first + len(rows), dtype=np.int64),
            "predicted": rows.predicted,
            "label": rows.label,
            "score": rows.score,
            "rank": rows.rank,
        }
        table = self._arrow.table({name: self._column(values) for name, values in columns.items()})
        sink = self._arrow.BufferOutputStream()
        self._parquet.write_table(table, sink, write_page_checksum=True)
        write(self._path(index), sink.getvalue().to_pybytes())

    def _column(self, values: Array) -> Any:
        """Numbers, or a list of them per sample."""
        if values.ndim == 1:
            return self._arrow.array(values)
        flat = self._arrow.array(values.reshape(-1))
        return self._arrow.FixedSizeListArray.from_arrays(flat, values.shape[1])

    def _path(self, index: int) -> Path:
        return self.directory / f"part-{index:06d}.parquet"

    def _described(self) -> bytes:
        try:
            return (self.directory / RUN_FILE).read_bytes()
        except OSError:
            return b""

    def _clear(self) -> None:
        """Removes predictions of another run; refuses a directory that holds other things."""
        if not self.directory.exists():
            return
        try:
            # Also what a killed run was about to rename (see files.write).
            patterns = (RUN_FILE, f".{RUN_FILE}.*", "part-*.parquet", ".part-*.parquet.*")
            known = [path for pattern in patterns for path in self.directory.glob(pattern)]
            others = [path for path in self.directory.iterdir() if path not in known]
            if others:
                raise FileSystemError(
                    f"{self.directory} is in the way: it holds {others[0].name}, which is no prediction",
                    "choose another directory",
                )
            for path in known:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise FileSystemError(
                f"{self.directory}: {error.strerror}", "choose another directory"
            ) from error


def _values(column: Any) -> Array:
    """A column as (N,), or (N, values) of lists."""
    joined = column.combine_chunks()
    if hasattr(joined.type, "list_size"):
        return np.asarray(joined.flatten().to_numpy(zero_copy_only=False)).reshape(len(joined), -1)
    return np.asarray(joined.to_numpy(zero_copy_only=False))


def describe(
    dataset: Path,
    model: bytes,
    *,
    samples: int,
    piece: int,
    reading: Reading,
    output: str = "",
    task: str = "",
) -> Run:
    """What a run over ``dataset`` is of. A data set is known by its path, size and time, not read through."""
    files = sorted(p for p in dataset.rglob("*") if p.is_file()) if dataset.is_dir() else [dataset]
    stats = [path.stat() for path in files]
    return Run(
        model_sha256=hashlib.sha256(model).hexdigest(),
        dataset=str(dataset.absolute()),
        dataset_bytes=sum(stat.st_size for stat in stats),
        dataset_mtime_ns=max((stat.st_mtime_ns for stat in stats), default=0),
        samples=samples,
        piece=piece,
        reading=repr(reading),
        output=output,
        task=task,
    )
