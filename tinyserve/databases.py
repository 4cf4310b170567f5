# SPDX-License-Identifier: Apache-2.0
"""Databases that are whole after any crash: SQLite files with a write-ahead log, and PostgreSQL.

Statements are written once, in the SQL that both have: parameters are ``?``, and a schema names its types
with the fields of ``Dialect``.
"""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from tinyserve.errors import FileSystemError

_SCHEMES = ("postgresql", "postgres")
_CONNECT_S = 10


@dataclass(frozen=True)
class Dialect:
    """What a database calls a row number that counts up by itself, an integer, a real, bytes, and a column of
    float32 values; how it keeps rows in the order of their key, and makes a view that may be there."""

    serial: str
    integer: str
    real: str
    blob: str
    values: str
    by_key: str
    view: str


SQLITE = Dialect(
    "INTEGER PRIMARY KEY", "INTEGER", "REAL", "BLOB", "BLOB", "WITHOUT ROWID", "CREATE VIEW IF NOT EXISTS"
)
POSTGRESQL = Dialect(
    "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BIGINT", "DOUBLE PRECISION", "BYTEA", "REAL[]", "",
    "CREATE OR REPLACE VIEW",
)  # fmt: skip


class Database(ABC):
    """One connection, for one thread at a time. Every method raises FileSystemError where the database can't
    be used; ``place`` names it in messages, without a password."""

    dialect: Dialect

    def __init__(self, place: str, hint: str) -> None:
        self.place = place
        self._hint = hint

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """All of the block or nothing of it."""
        with self._explained():
            self._begin()
            try:
                yield self
                self._end("COMMIT")
            except BaseException:
                with contextlib.suppress(*self._errors()):
                    self._end("ROLLBACK")
                raise

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        with self._explained():
            found: list[tuple[Any, ...]] = self._execute(statement, parameters).fetchall()
            return found

    def row(self, statement: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first of them, None where there is none."""
        with self._explained():
            found: tuple[Any, ...] | None = self._execute(statement, parameters).fetchone()
            return found

    def change(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """How many rows a statement changed."""
        with self._explained():
            return int(self._execute(statement, parameters).rowcount)

    @abstractmethod
    def change_many(self, statement: str, parameters: Iterable[Sequence[Any]]) -> None:
        """A statement for each of ``parameters``."""

    @abstractmethod
    def alone(self, number: int) -> bool:
        """Whether no other process holds ``number`` (63 bits) in this database; held from now to its close.
        Always so for files, which ``locks`` hold."""

    @abstractmethod
    def close(self) -> None:
        """After it nothing works any more."""

    @abstractmethod
    def stream(self, query: str, most: int) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        """The rows of a query that a user wrote, ``most`` at a time, each with the columns' names. Nothing is
        changed by it: it may only read."""

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _end(self, statement: Literal["COMMIT", "ROLLBACK"]) -> None: ...

    @abstractmethod
    def _execute(self, statement: str, parameters: Sequence[Any]) -> Any:
        """A cursor."""

    @abstractmethod
    def _errors(self) -> tuple[type[Exception], ...]: ...

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._errors() as error:
            said = " ".join(str(error).split())[:500]
            raise FileSystemError(f"{self.place}: {said}", self._hint) from error


class SqliteDatabase(Database):
    """A file. ``synchronous`` FULL: what was committed is there after a power cut, too. ``busy_s``: how long
    another connection's transaction is waited for."""

    dialect = SQLITE

    def __init__(
        self, path: Path, hint: str, *, synchronous: Literal["NORMAL", "FULL"], busy_s: float
    ) -> None:
        super().__init__(str(path), hint)
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=busy_s, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {synchronous}")

    def change_many(self, statement: str, parameters: Iterable[Sequence[Any]]) -> None:
        with self._explained():
            self._connection.executemany(statement, parameters)

    def alone(self, number: int) -> bool:
        return True

    def close(self) -> None:
        self._connection.close()

    def stream(self, query: str, most: int) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        with self._explained():
            self._connection.execute("PRAGMA query_only = ON")
            yield from _batches(self._connection.execute(query), most)

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def _end(self, statement: Literal["COMMIT", "ROLLBACK"]) -> None:
        if self._connection.in_transaction:
            self._connection.execute(statement)

    def _execute(self, statement: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        return self._connection.execute(statement, parameters)

    def _errors(self) -> tuple[type[Exception], ...]:
        return sqlite3.Error, OSError


class PostgresDatabase(Database):
    """A server's, by its URL. A connection that was lost is opened again with the next transaction."""

    dialect = POSTGRESQL

    def __init__(self, url: str, hint: str) -> None:
        super().__init__(without_password(url), hint)
        self._psycopg: Any = importlib.import_module("psycopg")
        self._url = url
        self._held: list[int] = []
        self._connection = self._connected()

    def change_many(self, statement: str, parameters: Iterable[Sequence[Any]]) -> None:
        with self._explained(), self._connection.cursor() as cursor:
            cursor.executemany(self._translated(statement), parameters)

    def alone(self, number: int) -> bool:
        row = self.row("SELECT pg_try_advisory_lock(?)", (number,))
        if row is not None and row[0]:
            self._held.append(number)
            return True
        return False

    def close(self) -> None:
        self._connection.close()

    def stream(self, query: str, most: int) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        with self._explained():
            self._execute("BEGIN READ ONLY", ())
            with self._connection.cursor("query") as cursor:  # named: the server keeps what was not read yet
                cursor.execute(query)
                yield from _batches(cursor, most)
            self._end("ROLLBACK")

    def _begin(self) -> None:
        if self._connection.closed:
            self._connection = self._connected()
            for number in self._held:
                self._execute("SELECT pg_try_advisory_lock(?)", (number,))
        self._execute("BEGIN", ())

    def _end(self, statement: Literal["COMMIT", "ROLLBACK"]) -> None:
        self._execute(statement, ())

    def _connected(self) -> Any:
        with self._explained():
            return self._psycopg.connect(
                self._url, autocommit=True, connect_timeout=_CONNECT_S, client_encoding="utf-8"
            )

    def _execute(self, statement: str, parameters: Sequence[Any]) -> Any:
        return self._connection.execute(self._translated(statement), parameters)

    @staticmethod
    def _translated(statement: str) -> str:
        return statement.replace("?", "%s")

    def _errors(self) -> tuple[type[Exception], ...]:
        return self._psycopg.Error, OSError


def _batches(cursor: Any, most: int) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
    while rows := cursor.fetchmany(most):
        yield [column[0] for column in cursor.description], rows


def is_url(place: str) -> bool:
    """Whether this names a PostgreSQL database."""
    return urlsplit(place).scheme in _SCHEMES and "://" in place


def without_password(url: str) -> str:
    """What may be printed of a URL."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(("postgresql", user.partition(":")[0] + at + host, parts.path, "", ""))


def open_database(
    place: str, schema: Sequence[str], hint: str, *, synchronous: Literal["NORMAL", "FULL"], busy_s: float
) -> Database:
    """Opens or makes a database, and what of ``schema`` is not there yet. Raises FileSystemError
    where PostgreSQL's driver is not installed."""
    database: Database = (
        PostgresDatabase(place, hint)
        if is_url(place)
        else SqliteDatabase(Path(place), hint, synchronous=synchronous, busy_s=busy_s)
    )
    try:
        with database.transaction():
            for statement in schema:
                database.change(statement.format(d=database.dialect))
    except BaseException:
        database.close()
        raise
    return database
