# SPDX-License-Identifier: Apache-2.0
"""SQLite databases that are whole after any crash: with a write-ahead log and explicit transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tinyserve.errors import FileSystemError


def open_database(
    path: Path, schema: str, *, synchronous: Literal["NORMAL", "FULL"], busy_s: float, one_thread: bool = True
) -> sqlite3.Connection:
    """Opens or makes a database. ``synchronous`` FULL: what was committed is there after a power cut, too.
    ``busy_s``: how long another connection's transaction is waited for. Raises sqlite3.Error and OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=one_thread)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {synchronous}")
    database.executescript(schema)
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of the block or nothing of it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path, hint: str) -> Iterator[None]:
    """Raises FileSystemError for what goes wrong with the database at ``path``."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise FileSystemError(f"{path}: {error}", hint) from error
