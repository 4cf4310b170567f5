# SPDX-License-Identifier: Apache-2.0
"""Both databases keep whole transactions, say what is wrong without passwords, and read what users ask."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.postgres import Server
from tinyserve.databases import Database, is_url, open_database, without_password
from tinyserve.errors import FileSystemError

SCHEMA = ("CREATE TABLE IF NOT EXISTS t (n {d.integer} PRIMARY KEY, raw {d.blob}, x {d.real})",)


def open_here(place: str) -> Database:
    return open_database(place, SCHEMA, "look", synchronous="NORMAL", busy_s=1)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "d.sqlite")
    server: Server = request.getfixturevalue("postgres_server")
    return server.database()


def test_a_transaction_is_whole_or_not_at_all(place: str) -> None:
    database = open_here(place)
    with pytest.raises(KeyError), database.transaction():
        database.change("INSERT INTO t VALUES (?, ?, ?)", (1, b"a", 0.5))
        raise KeyError
    with database.transaction():
        database.change_many("INSERT INTO t VALUES (?, ?, ?)", [(2, b"\0b", 1.5), (3, b"", 2.5)])
    assert database.rows("SELECT n, raw, x FROM t ORDER BY n") == [(2, b"\0b", 1.5), (3, b"", 2.5)]
    assert database.row("SELECT n FROM t WHERE n = ?", (9,)) is None
    assert database.change("UPDATE t SET x = ? WHERE n > ?", (0.0, 1)) == 2
    database.close()


def test_a_wrong_statement_is_explained_and_undone(place: str) -> None:
    database = open_here(place)
    with pytest.raises(FileSystemError, match="nowhere") as raised, database.transaction():
        database.change("INSERT INTO t VALUES (1, NULL, NULL)")
        database.change("INSERT INTO nowhere VALUES (1)")
    assert "secret" not in str(raised.value) and raised.value.hint == "look"
    assert database.rows("SELECT * FROM t") == []
    database.close()


def test_a_users_query_is_read_in_pieces_and_changes_nothing(place: str) -> None:
    database = open_here(place)
    with database.transaction():
        database.change_many("INSERT INTO t VALUES (?, NULL, ?)", [(n, n / 2) for n in range(5)])
    pieces = list(database.stream("SELECT n, x AS half FROM t WHERE n != 2 ORDER BY n", 3))
    assert [rows for _, rows in pieces] == [[(0, 0.0), (1, 0.5), (3, 1.5)], [(4, 2.0)]]
    assert {tuple(columns) for columns, _ in pieces} == {("n", "half")}
    with pytest.raises(FileSystemError):
        list(database.stream("DELETE FROM t", 3))
    database.close()
    again = open_here(place)
    assert again.row("SELECT count(*) FROM t") == (5,)
    again.close()


def test_a_number_is_held_by_one_connection(postgres_server: Server) -> None:
    url = postgres_server.database()
    first, second = open_here(url), open_here(url)
    assert first.alone(7) and not second.alone(7) and second.alone(8)
    first.close()
    deadline_s = time.monotonic() + 30
    while not second.alone(7):  # the server notices a moment later
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    second.close()


def test_a_connection_that_was_lost_is_opened_again(postgres_server: Server) -> None:
    url = postgres_server.database()
    database = open_here(url)
    assert database.alone(70)
    postgres_server.stop()
    with pytest.raises(FileSystemError), database.transaction():
        database.change("DELETE FROM t")
    postgres_server.start()
    with database.transaction():
        database.change("DELETE FROM t")
    other = open_here(url)
    assert not other.alone(70)
    for one in (database, other):
        one.close()


def test_urls_are_told_from_files_and_lose_their_password() -> None:
    assert is_url("postgresql://u:p@h/d") and is_url("postgres://h/d")
    assert not any(is_url(place) for place in ("a.sqlite", "postgresql", "postgresql:/x", "mysql://h/d"))
    assert without_password("postgres://u:p@h:1/d?password=p") == "postgresql://u@h:1/d"


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(FileSystemError, match=r"postgresql://u@127\.0\.0\.1:9/d") as raised:
        open_here("postgresql://u:secret@127.0.0.1:9/d")
    assert "secret" not in str(raised.value)
