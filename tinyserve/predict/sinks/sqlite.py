# SPDX-License-Identifier: Apache-2.0
"""A SQLite database that holds the predictions of any number of jobs.

View ``predictions`` (job, sample, class, label, score, output) has the rows of jobs that were published;
tables ``jobs`` (with descriptions and manifests), ``pieces`` and ``results`` are behind it. A piece is one
transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from tinyserve.databases import explained, open_database, transaction
from tinyserve.predict.rows import Rows
from tinyserve.predict.sinks.base import Job, Manifest, Sink

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE, state TEXT NOT NULL, description TEXT NOT NULL,
  manifest TEXT);
CREATE TABLE IF NOT EXISTS pieces (
  job_id INTEGER NOT NULL REFERENCES jobs, first INTEGER NOT NULL, PRIMARY KEY (job_id, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
  job_id INTEGER NOT NULL REFERENCES jobs, sample INTEGER NOT NULL, class INTEGER, label TEXT, score REAL,
  output BLOB NOT NULL, PRIMARY KEY (job_id, sample)) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS predictions AS
  SELECT job, sample, class, label, score, output FROM results JOIN jobs ON id = job_id
  WHERE state = 'published';
"""
_BUSY_S = 60.0
_HINT = "check permissions and free space; run it again: it goes on where it ended"


class SqliteSink(Sink):
    """``output`` holds the values as little-endian float32, ``score`` the best one (of an output of one
    value: it)."""

    def __init__(self, out: Path, job_id: str, job: Job) -> None:
        self._out = out
        self._labels = job.labels
        with explained(self._out, _HINT):
            self._database = open_database(out, _SCHEMA, synchronous="NORMAL", busy_s=_BUSY_S)
            self._database.execute(
                "INSERT OR IGNORE INTO jobs (job, state, description) VALUES (?, 'running', ?)",
                (job_id, msgspec.json.encode(job).decode()),
            )
            (self._id,) = self._database.execute("SELECT id FROM jobs WHERE job = ?", (job_id,)).fetchone()

    def done(self) -> set[int]:
        with explained(self._out, _HINT):
            found = self._database.execute("SELECT first FROM pieces WHERE job_id = ?", (self._id,))
            return {first for (first,) in found}

    def published(self) -> Manifest | None:
        with explained(self._out, _HINT):
            row = self._database.execute(
                "SELECT manifest FROM jobs WHERE id = ? AND state = 'published'", (self._id,)
            ).fetchone()
        return msgspec.json.decode(row[0], type=Manifest) if row else None

    def save(self, rows: Rows) -> None:
        with explained(self._out, _HINT), transaction(self._database):
            self._database.execute("INSERT INTO pieces VALUES (?, ?)", (self._id, rows.first))
            self._database.executemany("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?)", self._records(rows))

    def totals(self) -> tuple[int, Counter[int]]:
        with explained(self._out, _HINT):
            found = self._database.execute(
                "SELECT class, count(*) FROM results WHERE job_id = ? GROUP BY class", (self._id,)
            ).fetchall()
        return sum(count for _, count in found), Counter({c: count for c, count in found if c is not None})

    def publish(self, manifest: Manifest) -> None:
        with explained(self._out, _HINT), transaction(self._database):
            self._database.execute(
                "UPDATE jobs SET state = 'published', manifest = ? WHERE id = ?",
                (msgspec.json.encode(manifest).decode(), self._id),
            )

    def close(self) -> None:
        self._database.close()

    def _records(self, rows: Rows) -> Iterator[tuple[int, int, int | None, str | None, float, bytes]]:
        size = rows.values.shape[1] * 4
        raw = rows.values.astype("<f4", copy=False).tobytes()
        best = rows.values.max(axis=1).tolist() if rows.classes is None else self._scores(rows)
        classes = [None] * len(rows) if rows.classes is None else rows.classes.tolist()
        for index, (place, score) in enumerate(zip(classes, best, strict=True)):
            label = self._labels[place] if place is not None and place < len(self._labels) else None
            piece = raw[index * size : (index + 1) * size]
            yield self._id, rows.first + index, place, label, score, piece

    @staticmethod
    def _scores(rows: Rows) -> list[float]:
        assert rows.classes is not None
        scores: list[float] = rows.values[np.arange(len(rows)), rows.classes].tolist()
        return scores
