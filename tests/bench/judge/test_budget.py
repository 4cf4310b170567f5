# SPDX-License-Identifier: Apache-2.0
"""Budget files: which limits hold for a cell, what breaks them, and what is wrong with a bad file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.bench.results import make_result
from tinyserve.bench.judge import budget
from tinyserve.errors import FileSystemError, UsageError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_result_within_all_limits_breaks_nothing(tmp_path: Path) -> None:
    path = write(
        tmp_path / "b.toml", "[limits]\nflash_bytes = 70000\ninstructions = 2_700_000\naccuracy = 0.75\n"
    )
    assert budget.load(path).check(make_result()) == []


def test_what_breaks_says_by_how_much(tmp_path: Path) -> None:
    path = write(tmp_path / "b.toml", "[limits]\ninstructions = 2_500_000\naccuracy = 0.9\n")
    instructions, accuracy = budget.load(path).check(make_result())
    assert instructions.limit.metric.name == "instructions"
    assert instructions.over_percent == pytest.approx(8.0)
    assert accuracy.over_percent == pytest.approx(100 * 0.15 / 0.9)


def test_a_limit_of_a_figure_that_was_not_measured_is_broken(tmp_path: Path) -> None:
    path = write(tmp_path / "b.toml", "[limits]\nenergy_uj = 100\n")
    (violation,) = budget.load(path).check(make_result())
    assert violation.value is None
    assert violation.over_percent is None


def test_the_narrowest_scope_wins(tmp_path: Path) -> None:
    path = write(
        tmp_path / "b.toml",
        "[limits]\nflash_bytes = 1\n[board.nano33]\nflash_bytes = 2\n[model.kws]\nflash_bytes = 3\n"
        "[model.kws.board.nano33]\nflash_bytes = 4\n",
    )
    loaded = budget.load(path)
    found = {
        (model, board): [limit.value for limit in loaded.limits(model, board)]
        for model in ("kws", "vww")
        for board in ("nano33", "pico")
    }
    assert found == {
        ("kws", "nano33"): [4], ("kws", "pico"): [3], ("vww", "nano33"): [2], ("vww", "pico"): [1]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits", "not TOML"),
        ("", "sets no limit"),
        ("[limits]\nspeed = 1\n", "limits.speed: no such metric"),
        ("[limits]\nflash_bytes = 'much'\n", "limits.flash_bytes: 'much' is no limit"),
        ("[limits]\nflash_bytes = -1\n", "-1 is no limit"),
        ("[limits]\nflash_bytes = nan\n", "nan is no limit"),
        ("[limits]\nflash_bytes = true\n", "True is no limit"),
        ("[boards.nano33]\nflash_bytes = 1\n", "[boards]: no such table"),
        ("board = 3\n", "board: expected a table"),
        ("[model]\nkws = 3\n", "model.kws: expected a table"),
    ],
)
def test_a_bad_file_is_named_with_key_and_reason(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "b.toml", text)
    with pytest.raises(UsageError) as caught:
        budget.load(path)
    assert str(path) in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


def test_a_missing_file_is_a_file_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError, match=r"none\.toml"):
        budget.load(tmp_path / "none.toml")


def test_a_budget_of_zero_holds_only_zero(tmp_path: Path) -> None:
    path = write(tmp_path / "b.toml", "[limits]\nstack_bytes = 0\n")
    (violation,) = budget.load(path).check(make_result())
    assert violation.value == 612
    result = make_result()
    empty = msgspec.structs.replace(result, memory=msgspec.structs.replace(result.memory, stack_used_bytes=0))
    assert budget.load(path).check(empty) == []


def test_tables_that_concern_no_cell_are_known(tmp_path: Path) -> None:
    tables = ["limits", "board.nano33", "board.nano34", "model.kws", "model.vww", "model.kws.board.pico"]
    text = "".join(f"[{table}]\ninstructions = 5\n" for table in tables)
    found = budget.load(write(tmp_path / "b.toml", text)).idle([make_result()])
    assert sorted(found) == ["board.nano34", "model.kws.board.pico", "model.vww"]
