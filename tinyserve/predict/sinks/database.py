# SPDX-License-Identifier: Apache-2.0
"""A database (SQLite, PostgreSQL) that holds the predictions of any number of jobs.

View ``predictions`` (job, sample, class, label, score, output) has the rows of jobs that were published;
tables ``prediction_jobs`` (with descriptions and manifests), ``prediction_pieces`` and ``prediction_rows``
are behind it. A piece is one transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from tinyserve.databases import POSTGRESQL, open_database
from tinyserve.errors import FileSystemError
from tinyserve.predict.rows import Rows
from tinyserve.predict.sinks.base import Job, Manifest, Sink

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS prediction_jobs (
  id {d.serial}, job TEXT NOT NULL UNIQUE, state TEXT NOT NULL, description TEXT NOT NULL, manifest TEXT)""",
    """CREATE TABLE IF NOT EXISTS prediction_pieces (
  job_id {d.integer} NOT NULL REFERENCES prediction_jobs, first {d.integer} NOT NULL,
  PRIMARY KEY (job_id, first)) {d.by_key}""",
    """CREATE TABLE IF NOT EXISTS prediction_rows (
  job_id {d.integer} NOT NULL REFERENCES prediction_jobs, sample {d.integer} NOT NULL, class {d.integer},
  label TEXT, score {d.real}, output {d.values} NOT NULL, PRIMARY KEY (job_id, sample)) {d.by_key}""",
    """{d.view} predictions AS
  SELECT job, sample, class, label, score, output FROM prediction_rows
  JOIN prediction_jobs ON id = job_id WHERE state = 'published'""",
)
_BUSY_S = 60.0
_HINT = "check permissions and free space; run it again: it goes on where it ended"
Record = tuple[int, int, "int | None", "str | None", float, Any]


class DatabaseSink(Sink):
    """``output`` holds the values as little-endian float32 (SQLite) or real[] (PostgreSQL), ``score`` the
    best one (of an output of one value: it)."""

    def __init__(self, out: str, job_id: str, job: Job) -> None:
        self._labels = job.labels
        self._database = open_database(out, _SCHEMA, _HINT, synchronous="NORMAL", busy_s=_BUSY_S)
        self._as_values = self._database.dialect is POSTGRESQL
        if not self._database.alone(int(job_id[:15], 16)):
            self.close()
            raise FileSystemError(f"{self._database.place}: this very job runs already", "wait for its end")
        with self._database.transaction():
            self._database.change(
                "INSERT INTO prediction_jobs (job, state, description) VALUES (?, 'running', ?)"
                " ON CONFLICT DO NOTHING",
                (job_id, msgspec.json.encode(job).decode()),
            )
        ((self._id,),) = self._database.rows("SELECT id FROM prediction_jobs WHERE job = ?", (job_id,))

    def done(self) -> set[int]:
        found = self._database.rows("SELECT first FROM prediction_pieces WHERE job_id = ?", (self._id,))
        return {first for (first,) in found}

    def published(self) -> Manifest | None:
        row = self._database.row(
            "SELECT manifest FROM prediction_jobs WHERE id = ? AND state = 'published'", (self._id,)
        )
        return msgspec.json.decode(row[0], type=Manifest) if row else None

    def save(self, rows: Rows) -> None:
        with self._database.transaction():
            self._database.change("INSERT INTO prediction_pieces VALUES (?, ?)", (self._id, rows.first))
            self._database.change_many(
                "INSERT INTO prediction_rows VALUES (?, ?, ?, ?, ?, ?)", self._records(rows)
            )

    def totals(self) -> tuple[int, Counter[int]]:
        found = self._database.rows(
            "SELECT class, count(*) FROM prediction_rows WHERE job_id = ? GROUP BY class", (self._id,)
        )
        return sum(count for _, count in found), Counter({c: count for c, count in found if c is not None})

    def publish(self, manifest: Manifest) -> None:
        with self._database.transaction():
            self._database.change(
                "UPDATE prediction_jobs SET state = 'published', manifest = ? WHERE id = ?",
                (msgspec.json.encode(manifest).decode(), self._id),
            )

    def close(self) -> None:
        self._database.close()

    def _records(self, rows: Rows) -> Iterator[Record]:
        outputs = self._outputs(rows)
        best = rows.values.max(axis=1).tolist() if rows.classes is None else self._scores(rows)
        classes = [None] * len(rows) if rows.classes is None else rows.classes.tolist()
        for index, (place, score, output) in enumerate(zip(classes, best, outputs, strict=True)):
            label = self._labels[place] if place is not None and place < len(self._labels) else None
            yield self._id, rows.first + index, place, label, score, output

    def _outputs(self, rows: Rows) -> list[Any]:
        """Of each sample, as the database takes them."""
        if self._as_values:
            values: list[Any] = rows.values.tolist()
            return values
        size = rows.values.shape[1] * 4
        raw = rows.values.astype("<f4", copy=False).tobytes()
        return [raw[index * size : (index + 1) * size] for index in range(len(rows))]

    @staticmethod
    def _scores(rows: Rows) -> list[float]:
        assert rows.classes is not None
        scores: list[float] = rows.values[np.arange(len(rows)), rows.classes].tolist()
        return scores
