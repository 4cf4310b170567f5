# SPDX-License-Identifier: Apache-2.0
"""Another Python for packages that this one is too new for: the newest that can make environments."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tinyserve.convert.frameworks import interpreters
from tinyserve.errors import ToolError

OLD = (3, 9)  # older than any Python that runs these tests, so that none of them fits


@pytest.fixture(autouse=True)
def nothing_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, and no pyenv and no uv of the machine's own."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(interpreters.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(interpreters, "OLDEST", (3, 7))
    return place


def program(path: Path, says: str, status: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


def test_this_python_is_taken_where_it_fits() -> None:
    assert interpreters.find("f", None) == sys.executable
    assert interpreters.find("f", sys.version_info[:2]) == sys.executable


def test_the_probe_says_what_a_real_interpreter_is() -> None:
    assert interpreters._fault(sys.executable, sys.version_info[:2]) == ""
    assert "is 3." in interpreters._fault(sys.executable, OLD)


def test_the_newest_that_fits_comes_first(nothing_around: Path) -> None:
    program(nothing_around / "python3.8", "3 8 ready")
    newest = program(nothing_around / "python3.9", "3 9 ready")
    assert interpreters.find("f", OLD) == newest


@pytest.mark.parametrize(
    ("says", "status", "word"),
    [
        ("3 9 bare", 0, "apt-get install python3.9-venv"),
        ("3 9 free-threaded", 0, "free-threaded"),
        ("3 12 ready", 0, "is 3.12"),
        ("pyenv: python3.9: command not found", 127, "does not run"),
        ("", 0, "does not run"),
    ],
)
def test_what_does_not_fit_is_passed_over_and_named(
    nothing_around: Path, says: str, status: int, word: str
) -> None:
    program(nothing_around / "python3.9", says, status)
    with pytest.raises(ToolError, match=word) as caught:
        interpreters.find("tensorflow", OLD)
    assert "tinyserve setup --frontend tensorflow" in caught.value.hint
    other = program(nothing_around / "python3.8", "3 8 ready")
    assert interpreters.find("tensorflow", OLD) == other


def test_versions_of_pyenv_count_though_their_shims_do_not_run(nothing_around: Path, tmp_path: Path) -> None:
    program(nothing_around / "python3.9", "pyenv: python3.9: command not found", 127)
    own = program(tmp_path / "pyenv/versions/3.9.18/bin/python3.9", "3 9 ready")
    assert interpreters.find("f", OLD) == own


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")
@pytest.mark.parametrize("installed", [True, False])
def test_uv_finds_or_fetches_one(nothing_around: Path, tmp_path: Path, installed: bool) -> None:
    python, mark = program(tmp_path / "uv-python", "3 9 ready"), tmp_path / "fetched"
    if installed:
        mark.touch()
    uv = nothing_around / "uv"
    uv.write_text(
        "#!/bin/sh\n"
        f'[ "$2" = install ] && {{ [ "$4" = 3.9 ] && : > {mark}; exit; }}\n'
        f'[ "$2 $4" = "find 3.9" ] && [ -e {mark} ] && echo {python} && exit\n'
        "exit 2\n"
    )
    uv.chmod(0o755)
    assert interpreters.find("f", OLD) == python
