# SPDX-License-Identifier: Apache-2.0
"""Jobs in a database (SQLite, PostgreSQL): what was accepted is there after any crash.

One connection, used by one thread at a time; every method is one transaction. Times are of the system's
clock, since they outlive the process.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import msgspec

from tinyserve.databases import Database, open_database
from tinyserve.errors import FileSystemError

_HINT = "check the database's permissions and free space"
_LOCK = 0x7473_6A6F_6273
State = Literal["queued", "running", "done", "failed"]
Delivery = Literal["", "pending", "delivered", "dead"]
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS jobs (
  number {d.serial}, id TEXT NOT NULL UNIQUE, idempotency TEXT UNIQUE, request TEXT NOT NULL,
  model TEXT NOT NULL, version TEXT NOT NULL, body {d.blob} NOT NULL, header_length TEXT,
  state TEXT NOT NULL, created {d.real} NOT NULL, finished {d.real}, error TEXT NOT NULL DEFAULT '',
  result {d.blob}, result_header {d.integer}, callback TEXT NOT NULL DEFAULT '',
  delivery TEXT NOT NULL DEFAULT '', attempts {d.integer} NOT NULL DEFAULT 0,
  next_at {d.real} NOT NULL DEFAULT 0, delivery_error TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX IF NOT EXISTS by_state ON jobs (state, number)",
    "CREATE INDEX IF NOT EXISTS by_delivery ON jobs (delivery, next_at) WHERE delivery = 'pending'",
)
_COLUMNS = ", ".join(
    ("id", "model", "version", "state", "created", "finished", "error", "callback", "delivery", "attempts",
     "next_at", "delivery_error")
)  # fmt: skip


class Job(msgspec.Struct, frozen=True):
    """A job without its request and result. Times are seconds since 1970."""

    id: str
    model: str
    version: str
    state: State
    created: float
    finished: float | None
    error: str
    callback: str
    delivery: Delivery
    attempts: int
    next_at: float
    delivery_error: str


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came. ``idempotency``: the client's key, with which it may send it twice; "": none."""

    id: str
    model: str
    version: str
    body: bytes
    header_length: str | None
    callback: str
    idempotency: str

    @property
    def digest(self) -> str:
        """Of all that makes it this request and no other."""
        said = (self.model, self.version, self.header_length, self.callback, len(self.body))
        return hashlib.sha256(repr(said).encode() + self.body).hexdigest()


class Store:
    """Raises FileSystemError from every method where the database can't be used."""

    def __init__(self, place: str) -> None:
        self._lock = threading.Lock()
        self._database = open_database(place, _SCHEMA, _HINT, synchronous="FULL", busy_s=5)
        if not self._database.alone(_LOCK):
            self.close()
            raise FileSystemError(
                f"{self._database.place}: another server keeps its jobs there",
                "give each a database of its own",
            )

    def add(self, submitted: Submitted, now: float, most: int) -> Job | None:
        """Accepts it; None where ``most`` wait already. The job of an idempotency key that is known, with the
        same request, is returned as it is (``same`` tells)."""
        with self._transaction() as database:
            key = submitted.idempotency
            known = self._one(database, "idempotency", key) if key else None
            if known is not None:
                return known
            waiting = database.rows("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")
            if waiting[0][0] >= most:
                return None
            database.change(
                "INSERT INTO jobs (id, idempotency, request, model, version, body, header_length, state,"
                " created, callback) VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
                (
                    submitted.id, submitted.idempotency or None, submitted.digest, submitted.model,
                    submitted.version, submitted.body, submitted.header_length, now, submitted.callback,
                ),
            )  # fmt: skip
            return self._one(database, "id", submitted.id)

    def same(self, job: Job, submitted: Submitted) -> bool:
        """Whether the job was made of this very request."""
        with self._transaction() as database:
            row = database.row("SELECT request FROM jobs WHERE id = ?", (job.id,))
        return row is not None and row[0] == submitted.digest

    def get(self, job_id: str) -> Job | None:
        """A job, None where there is none (any more)."""
        with self._transaction() as database:
            return self._one(database, "id", job_id)

    def latest(self, state: str, delivery: str, most: int) -> list[Job]:
        """The latest; ``state`` and ``delivery`` "": of any."""
        with self._transaction() as database:
            rows = database.rows(
                f"SELECT {_COLUMNS} FROM jobs WHERE (? = '' OR state = ?) AND (? = '' OR delivery = ?)"
                " ORDER BY number DESC LIMIT ?",
                (state, state, delivery, delivery, most),
            )
        return [Job(*row) for row in rows]

    def take(self) -> tuple[Job, bytes, str | None] | None:
        """The oldest job that waits, with its body and header's length; it runs from now on."""
        with self._transaction() as database:
            row = database.row(
                "SELECT id, body, header_length FROM jobs WHERE state = 'queued' ORDER BY number LIMIT 1"
            )
            if row is None:
                return None
            database.change("UPDATE jobs SET state = 'running' WHERE id = ?", (row[0],))
            job = self._one(database, "id", row[0])
            assert job is not None
            return job, row[1], row[2]

    def requeue_running(self) -> None:
        """What ran when the process ended, waits again."""
        with self._transaction() as database:
            database.change("UPDATE jobs SET state = 'queued' WHERE state = 'running'")

    def finish(self, job_id: str, now: float, result: bytes, header: int | None, error: str = "") -> None:
        """Its result, or its error. Kept if it is still there; one that is done stays as it is."""
        with self._transaction() as database:
            database.change(
                "UPDATE jobs SET state = ?, finished = ?, result = ?, result_header = ?, error = ?,"
                " body = ?, delivery = CASE callback WHEN '' THEN '' ELSE 'pending' END, next_at = ?"
                " WHERE id = ? AND state = 'running'",
                ("failed" if error else "done", now, result, header, error, b"", now, job_id),
            )

    def result(self, job_id: str) -> tuple[bytes, int | None] | None:
        """The stored answer of a job that is done."""
        with self._transaction() as database:
            row = database.row(
                "SELECT result, result_header FROM jobs WHERE id = ? AND state = 'done'", (job_id,)
            )
        return (row[0], row[1]) if row else None

    def due(self, now: float, most: int) -> list[Job]:
        """Deliveries whose time has come."""
        with self._transaction() as database:
            rows = database.rows(
                f"SELECT {_COLUMNS} FROM jobs WHERE delivery = 'pending' AND next_at <= ?"
                " ORDER BY next_at LIMIT ?",
                (now, most),
            )
        return [Job(*row) for row in rows]

    def delivered(self, job_id: str) -> None:
        """The receiver has it."""
        with self._transaction() as database:
            database.change(
                "UPDATE jobs SET delivery = 'delivered', attempts = attempts + 1, delivery_error = ''"
                " WHERE id = ?",
                (job_id,),
            )

    def not_delivered(self, job_id: str, error: str, next_at: float | None) -> None:
        """Once more at ``next_at``; None: it is a dead letter."""
        with self._transaction() as database:
            database.change(
                "UPDATE jobs SET delivery = ?, attempts = attempts + 1, next_at = ?, delivery_error = ?"
                " WHERE id = ?",
                ("dead" if next_at is None else "pending", next_at or 0, error, job_id),
            )

    def redeliver(self, job_id: str, now: float) -> bool:
        """A dead letter (or one that arrived) is sent again; whether there was one."""
        with self._transaction() as database:
            changed = database.change(
                "UPDATE jobs SET delivery = 'pending', attempts = 0, next_at = ?"
                " WHERE id = ? AND callback != '' AND state IN ('done', 'failed')",
                (now, job_id),
            )
            return changed > 0

    def remove(self, job_id: str) -> bool:
        """Forgets a job that does not run; whether there was one."""
        with self._transaction() as database:
            return database.change("DELETE FROM jobs WHERE id = ? AND state != 'running'", (job_id,)) > 0

    def expire(self, before: float) -> None:
        """Forgets what was finished before, and is not to be sent any more."""
        with self._transaction() as database:
            database.change("DELETE FROM jobs WHERE finished < ? AND delivery != 'pending'", (before,))

    def close(self) -> None:
        """After it nothing works any more."""
        with self._lock:
            self._database.close()

    @staticmethod
    def _one(database: Database, column: Literal["id", "idempotency"], value: str) -> Job | None:
        row = database.row(f"SELECT {_COLUMNS} FROM jobs WHERE {column} = ?", (value,))
        return Job(*row) if row else None

    @contextmanager
    def _transaction(self) -> Iterator[Database]:
        with self._lock, self._database.transaction() as database:
            yield database
