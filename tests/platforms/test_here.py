# SPDX-License-Identifier: Apache-2.0
"""One module per system, and none beside it that asks which system it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinyserve
from tinyserve import platforms

ROOT = Path(tinyserve.__file__).parent
ASKS = re.compile(
    r"sys\.platform|os\.name\b|platform\.(system|machine|processor|uname)\(|/proc/|sched_getaffinity"
    r"|cpu_count|import_module\(.(fcntl|msvcrt|resource)|^\s*import (fcntl|msvcrt|resource|termios|tty|pty)\b"
    r"|os\.(killpg|kill|fork|openpty|getuid|posix_spawn)\(|start_new_session|creationflags|SIGHUP\b.*signal\.|pthread_sigmask",
    re.MULTILINE,
)
REPLACES = re.compile(r"os\.(replace|rename)\(|shutil\.move\(|\.(rename|replace)\([a-z_.()]+\)")
ALLOWED = {"devices/watchdog.py": "a script for systems that spawn, started by path"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("linux", "Posix"), ("freebsd14", "Posix"), ("cygwin", "Posix"), ("darwin", "Darwin"),
        ("win32", "Windows"),
    ],
)  # fmt: skip
def test_each_system_has_its_module(name: str, kind: str) -> None:
    assert type(platforms.named(name)).__name__ == kind


def test_each_system_names_the_programs_that_the_doctor_looks_for() -> None:
    systems = [platforms.named(name) for name in ("linux", "darwin", "win32")]
    assert len({frozenset(system.installs) for system in systems}) == 1
    managers = ("apt ", "brew ", "winget ")
    for system, manager in zip(systems, managers, strict=True):
        said = " ".join(system.installs.values())
        assert manager in said
        assert not any(other in said for other in managers if other != manager)


def test_nothing_else_asks_which_system_it_is() -> None:
    asking = {}
    for path in ROOT.rglob("*.py"):
        found = {match.group().strip() for match in ASKS.finditer(path.read_text(encoding="utf-8"))}
        if found and path.parent.name != "platforms":
            asking[path.relative_to(ROOT).as_posix()] = sorted(found)
    assert set(asking) == set(ALLOWED), asking


def test_nothing_else_puts_files_in_the_place_of_others() -> None:
    """Path.replace fails on Windows where the other is open: the platform waits, or moves it away."""
    moving = {
        path.relative_to(ROOT).as_posix(): match.group()
        for path in ROOT.rglob("*.py")
        for match in REPLACES.finditer(path.read_text(encoding="utf-8"))
        if path.parent.name != "platforms" and "here()" not in match.group()
    }
    assert not moving
