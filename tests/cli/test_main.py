# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: help, errors, exit statuses, interruption."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinyserve import platforms
from tinyserve.cli import main as cli
from tinyserve.errors import BudgetError, DeviceError, FitError, Terminated, TinyserveError

HEAVY = ("numpy", "rich", "msgspec", "jinja2", "tensorflow", "unicorn", "matplotlib", "elftools")


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Makes `tinyserve boards` end in ``error``."""

    def explode() -> None:
        raise error

    monkeypatch.setattr("tinyserve.boards.all_boards", explode)


def test_help_imports_nothing_heavy() -> None:
    probe = (
        "import sys; from tinyserve.cli.main import main; main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", [name for section in cli.SECTIONS.values() for name in section])
def test_every_command_of_the_table_exists_and_has_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([name, "--help"]) == 0
    assert f"Usage: tinyserve {name}" in capsys.readouterr().out


@pytest.mark.parametrize(("available", "status"), [(1 << 20, 9), (1 << 34, 1), (None, 1)])
def test_a_library_that_fails_without_a_word_where_memory_is_short_had_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], available: int | None, status: int
) -> None:
    monkeypatch.setattr(type(platforms.here()), "available_bytes", lambda self: available)
    failing(monkeypatch, SystemError("error return without exception set"))
    assert cli.main(["boards"]) == status
    shown = capsys.readouterr().err
    assert ("error: not enough memory" in shown) == (status == 9)
    assert ("internal error" in shown) == (status == 1)


@pytest.mark.parametrize(
    ("error", "status"), [(BudgetError("over"), 3), (FitError("large"), 7), (DeviceError("gone"), 8)]
)
def test_an_expected_error_is_one_message_and_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: TinyserveError, status: int
) -> None:
    error.hint = "this and that"
    failing(monkeypatch, error)
    assert cli.main(["boards"]) == status
    shown = capsys.readouterr()
    assert shown.err == f"error: {error.message}\n  try: this and that\n"
    assert shown.out == ""


def test_verbose_shows_the_traceback_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, DeviceError("gone"))
    assert cli.main(["boards", "--verbose"]) == 8
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_errors_of_the_system_name_the_file_and_end_in_9(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    failing(monkeypatch, OSError(number, os.strerror(number), "/some/where"))
    assert cli.main(["boards"]) == 9
    assert capsys.readouterr().err.startswith(f"error: /some/where: {os.strerror(number)}\n  try: ")


def test_ctrl_c_ends_in_130_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert cli.main(["boards"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_sigterm_ends_in_143_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, Terminated(143))
    assert cli.main(["boards"]) == 143
    assert capsys.readouterr().err.strip() == "terminated"


def test_a_bug_shows_its_traceback_and_ends_in_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, ZeroDivisionError("division by zero"))
    assert cli.main(["boards"]) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "internal error" in shown


def test_a_mistyped_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bnech"]) == 2
    assert "Did you mean bench" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ["boards --json", "boards", "--help"])
def test_a_reader_that_goes_away_is_no_error(arguments: str) -> None:
    """The reader ends before a word is written, so that the first one fails."""
    command = f"{sys.executable} -m tinyserve {arguments} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_source_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["inspect", str(tmp_path / "none.keras")]) == 9
    assert "none.keras: no such file" in capsys.readouterr().err


def test_plain_has_no_frames(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.bench.models import write_classifier

    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "m.tflite")
    assert cli.main(["convert", "m.tflite"]) == 0
    assert "╭" in capsys.readouterr().out
    assert cli.main(["convert", "m.tflite", "--plain"]) == 0
    shown = capsys.readouterr().out
    assert "held-out samples" in shown
    assert not set("╭│╰█") & set(shown)


def test_what_a_message_quotes_is_cut_in_its_middle(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, DeviceError(f"/dev/ttyACM0: said {'x' * 100_000}: no number", "unplug it"))
    assert cli.main(["boards"]) == 8
    shown = capsys.readouterr().err
    assert len(shown) < 2200
    assert shown.startswith("error: /dev/ttyACM0: said xxx")
    assert "xxx: no number\n  try: unplug it" in shown
    assert "… (98,030 characters) …" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "x" * 100_000],
        ["boards", "--" + "x" * 100_000],
        ["x" * 100_000],
        ["bench", "--jobs", "9" * 5000],
    ],
)
def test_arguments_of_any_length_are_quoted_briefly(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) in (2, 9)
    shown = capsys.readouterr().err
    assert len(shown) < 5000
    assert "Traceback" not in shown
