# SPDX-License-Identifier: Apache-2.0
"""A directory of Parquet files, which pandas, polars, DuckDB and Spark read as one table.

Until it is published it is called OUT.partial. A piece is a file, which appears whole; ``_job.json`` says
what the predictions are of, ``_manifest.json`` comes with the publication.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

from tinyserve import platforms
from tinyserve.documents import from_json
from tinyserve.errors import FileSystemError
from tinyserve.escapes import visible
from tinyserve.extras import parquet_writer
from tinyserve.files import write
from tinyserve.predict.rows import Rows
from tinyserve.predict.sinks.base import Job, Manifest, Sink
from tinyserve.words import counted

JOB_FILE = "_job.json"  # readers of Parquet directories pass over names that begin so
MANIFEST_FILE = "_manifest.json"
_PART = "part-{:012d}.parquet"


class ParquetSink(Sink):
    """Columns: sample, class, label, score, output (a list of float32 per sample)."""

    def __init__(self, out: str, job_id: str, job: Job) -> None:
        self._arrow, self._parquet = parquet_writer()
        self._out = Path(out)
        self._partial = self._out.with_name(f"{self._out.name}.partial")
        self._labels = job.labels
        self._job = msgspec.json.encode(job)
        self._is_published = self._holds(self._out)
        if not self._is_published:
            self._begin()

    def done(self) -> set[int]:
        found = {int(path.name[5:17]) for path in self._directory.glob("part-*.parquet")}
        return {first for first in found if (self._directory / _PART.format(first)).is_file()}

    def published(self) -> Manifest | None:
        if not self._is_published:
            return None
        return from_json((self._out / MANIFEST_FILE).read_bytes(), Manifest)

    def save(self, rows: Rows) -> None:
        arrow = self._arrow
        table = {"sample": arrow.array(np.arange(rows.first, rows.first + len(rows), dtype=np.int64))}
        if rows.classes is not None:
            table["class"] = arrow.array(rows.classes)
            if self._labels:
                indices = arrow.array(rows.classes)
                table["label"] = arrow.DictionaryArray.from_arrays(indices, self._labels).dictionary_decode()
            scores = rows.values[np.arange(len(rows)), rows.classes]
        else:
            scores = rows.values[:, 0]
        table["score"] = arrow.array(scores)
        flat = arrow.array(rows.values.reshape(-1))
        table["output"] = arrow.FixedSizeListArray.from_arrays(flat, rows.values.shape[1])
        buffer = arrow.BufferOutputStream()
        self._parquet.write_table(arrow.table(table), buffer, write_page_checksum=True)
        write(self._partial / _PART.format(rows.first), buffer.getvalue().to_pybytes())

    def totals(self) -> tuple[int, Counter[int]]:
        count, classes = 0, Counter[int]()
        for path in sorted(self._directory.glob("part-*.parquet")):
            file = self._parquet.ParquetFile(path)
            count += file.metadata.num_rows
            if "class" in file.schema_arrow.names:
                values = file.read(["class"]).column("class").to_numpy()
                found, counts = np.unique(values, return_counts=True)
                classes.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        return count, classes

    def publish(self, manifest: Manifest) -> None:
        write(
            self._partial / MANIFEST_FILE,
            msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n",
        )
        try:
            platforms.here().replace(self._partial, self._out)
        except OSError as error:
            raise FileSystemError(f"{self._out}: {error.strerror}", "choose another place") from error
        self._is_published = True

    def close(self) -> None:
        pass

    @property
    def _directory(self) -> Path:
        return self._out if self._is_published else self._partial

    def _holds(self, directory: Path) -> bool:
        """Whether it is this job's. Raises FileSystemError for what is another's."""
        if not directory.exists():
            return False
        try:
            known = (directory / JOB_FILE).read_bytes()
        except OSError:
            known = b""
        if known == self._job:
            return True
        raise FileSystemError(
            f"{directory} is in the way: it holds {_unlike(known, self._job)}",
            "remove it, or choose another place",
        )

    def _begin(self) -> None:
        if self._holds(self._partial):
            for left in self._partial.glob(".*"):  # what a killed run was about to rename
                left.unlink(missing_ok=True)
            return
        write(self._partial / JOB_FILE, self._job)


def _unlike(known: bytes, job: bytes) -> str:
    """What makes the predictions that are there another job's."""
    try:
        old, new = from_json(known, Job), from_json(job, Job)
    except msgspec.DecodeError:
        return "no predictions"
    if replace(old, piece=new.piece) == new:
        return f"the same job in pieces of {counted(old.piece, 'sample')} (--piece {old.piece})"
    if replace(old, output=new.output, labels=new.labels) == new:
        return f"the predictions of the output {visible(old.output)}"
    return "the predictions of another model, or on other data"
