# SPDX-License-Identifier: Apache-2.0
"""Predictions on disk: a Parquet file per piece of a data set, so that a run can be taken up where it ended.

A directory of such files is a data set to pandas, polars, DuckDB and Spark. ``_run.json`` says what was run.
"""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.datasets.named import Reading
from tinyserve.errors import FileSystemError, ToolError
from tinyserve.files import write

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


@dataclass(frozen=True)
class Piece:
    """Predictions of consecutive samples: the class, the label (-1: unknown), the largest output value."""

    first: int
    predicted: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.predicted)


class Store:
    """A directory of predictions. Opening it removes what another run left there."""

    def __init__(self, directory: Path, run: Run) -> None:
        self.directory = directory
        self._arrow, self._parquet = _pyarrow()
        self._schema = self._arrow.schema(
            [("sample", "int64"), ("predicted", "int64"), ("label", "int64"), ("score", "float32")]
        )
        described = msgspec.json.encode(run)
        if self._described() != described:
            self._clear()
            write(directory / RUN_FILE, described)

    def load(self, index: int) -> Piece | None:
        """The piece, where it was finished before."""
        path = self._path(index)
        if not path.is_file():
            return None
        try:
            table = self._parquet.read_table(path, page_checksum_verification=True)
        except Exception:  # half a file, or a damaged one: made again
            return None
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        return Piece(int(columns["sample"][0]), columns["predicted"], columns["label"], columns["score"])

    def save(self, index: int, piece: Piece) -> None:
        """Writes a piece in one step. Raises FileSystemError."""
        arrays = [
            np.arange(piece.first, piece.first + len(piece), dtype=np.int64),
            piece.predicted,
            piece.labels,
            piece.score,
        ]
        table = self._arrow.Table.from_arrays(
            [self._arrow.array(array) for array in arrays], schema=self._schema
        )
        sink = self._arrow.BufferOutputStream()
        self._parquet.write_table(table, sink, write_page_checksum=True)
        write(self._path(index), sink.getvalue().to_pybytes())

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


def describe(dataset: Path, model: bytes, samples: int, piece: int, reading: Reading) -> Run:
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
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ToolError("pyarrow is needed to write predictions", "pip install 'tinyserve[data]'") from error
