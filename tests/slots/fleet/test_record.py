# SPDX-License-Identifier: Apache-2.0
"""The record of a rollout survives what ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyserve.errors import DataError
from tinyserve.slots.fleet.record import Record


def test_entries_are_there_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "r.jsonl"
    record = Record(path, "aa")
    record.add("one", 1, "on trial", "slot 0")
    record.add("one", 1, "confirmed")
    again = Record(path, "aa")
    assert [entry.event for entry in again.entries] == ["on trial", "confirmed"]
    last = again.last("one")
    assert last is not None and last.event == "confirmed"
    assert again.last("two") is None


def test_another_model_begins_anew(tmp_path: Path) -> None:
    Record(tmp_path / "r", "aa").add("one", 1, "refused", "no")
    other = Record(tmp_path / "r", "bb")
    assert not other.entries
    other.add("one", 1, "confirmed")
    assert len(Record(tmp_path / "r", "aa").entries) == 1


def test_a_line_that_was_cut_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    path = tmp_path / "r"
    Record(path, "aa").add("one", 1, "on trial")
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        record = Record(path, "aa")
        assert len(record.entries) == 1
        record.add("two", 1, "confirmed")
        assert [entry.device for entry in Record(path, "aa").entries] == ["one", "two"]


@pytest.mark.parametrize("text", [b"{}\n", b"\xff\xfe\n", b"[1]\n", b'{"time":"x"}\n', b"\n\n"])
def test_another_file_is_no_record(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(text)
    with pytest.raises(DataError, match="line 1 is no entry"):
        Record(path, "aa")
    assert path.read_bytes() == text
