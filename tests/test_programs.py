# SPDX-License-Identifier: Apache-2.0
"""Other programs: what they write, whatever it is, and how long they may take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tinyserve import programs


def ask(code: str, timeout_s: float = 60.0, **options: object) -> subprocess.CompletedProcess[str]:
    return programs.ask([sys.executable, "-c", code], timeout_s, **options)  # type: ignore[arg-type]


def test_bytes_that_are_no_text_are_replaced() -> None:
    done = ask("import sys; sys.stdout.buffer.write(b'a\\xff\\xfeb'); sys.stderr.write('no'); sys.exit(3)")
    assert (done.returncode, done.stderr) == (3, "no")
    assert done.stdout.startswith("a") and done.stdout.endswith("b")


def test_a_program_gets_the_text_and_then_its_end(tmp_path: Path) -> None:
    code = "import os, sys; print(repr(sys.stdin.read()), os.getcwd())"
    assert ask(code).stdout.startswith("''")
    assert ask(code, text="x\n", directory=tmp_path).stdout.split() == [repr("x\n"), str(tmp_path.resolve())]


def test_a_program_that_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        ask("import time; time.sleep(60)", 0.2)


def test_zig_gets_a_place_to_write_where_the_home_directory_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))
    for name in ("ZIG_GLOBAL_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert "ZIG_GLOBAL_CACHE_DIR" not in programs.environment()  # it can be made there
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert programs.environment()["ZIG_GLOBAL_CACHE_DIR"] == str(tmp_path / "cache" / "zig")
    monkeypatch.delenv("HOME")  # this user has one, by the system's list of users: zig does not look there
    assert programs.environment()["ZIG_GLOBAL_CACHE_DIR"] == str(tmp_path / "cache" / "zig")
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", "/elsewhere")
    assert programs.environment()["ZIG_GLOBAL_CACHE_DIR"] == "/elsewhere"
