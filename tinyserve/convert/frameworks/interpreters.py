# SPDX-License-Identifier: Apache-2.0
"""Finds a Python for an environment of its own, where the one that runs this is too new for its packages."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinyserve import platforms
from tinyserve.errors import ToolError

OLDEST = (3, 10)
_PROBE_TIMEOUT_S = 30
_FETCH_TIMEOUT_S = 600
_PROBE = """
import sys, sysconfig
try:
    import ensurepip, venv
    ready = "ready"
except ImportError:
    ready = "bare"
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    ready = "free-threaded"
print(sys.version_info[0], sys.version_info[1], ready)
"""


def find(name: str, newest: tuple[int, int] | None) -> str:
    """The command of a Python from ``OLDEST`` to ``newest`` that can make virtual environments: this one
    where it fits (always, for None), else the newest on the PATH, of the Windows launcher, of pyenv, or of
    uv, which may fetch one. Raises ToolError that says where was looked; ``name`` is the front end's.
    """
    if newest is None or sys.version_info[:2] <= newest:
        return sys.executable
    unfit: list[str] = []
    for command in _candidates(newest):
        fault = _fault(command, newest)
        if not fault:
            return command
        if fault not in unfit:
            unfit.append(fault)
    fetched = _fetched(newest)
    if fetched:
        return fetched
    raise _none_found(name, newest, unfit)


def _candidates(newest: tuple[int, int]) -> Iterator[str]:
    """Interpreters by falling version, wherever systems keep several side by side."""
    uv, launcher = _uv(), platforms.here().python_launcher()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in range(newest[1], OLDEST[1] - 1, -1):
        version = f"3.{minor}"
        on_path = shutil.which(f"python{version}")
        if on_path:
            yield on_path
        if launcher:
            yield from _said([launcher, f"-{version}", "-c", "import sys; print(sys.executable)"])
        for place in sorted(pyenv.glob(f"{version}.*")):
            yield from (str(path) for path in place.glob(f"bin/python{version}"))
        if uv:
            yield from _said([*uv, "python", "find", "--no-python-downloads", version])


def _fault(command: str, newest: tuple[int, int]) -> str:
    """What keeps an interpreter from being used; empty: nothing. A command that does not run (pyenv leaves
    shims for versions that are not chosen) has no fault that could be removed."""
    words = next(_said([command, "-I", "-c", _PROBE]), "0 0 nothing").split()
    major, minor, state = int(words[0]), int(words[1]), words[2]
    if state == "bare":
        return f"{command} lacks the modules venv and ensurepip (apt-get install python{major}.{minor}-venv)"
    if state == "free-threaded":
        return f"{command} is a free-threaded build, for which there are no wheels"
    fits = state == "ready" and OLDEST <= (major, minor) <= newest
    return (
        "" if fits else f"{command} does not run" if state == "nothing" else f"{command} is {major}.{minor}"
    )


def _fetched(newest: tuple[int, int]) -> str | None:
    """A Python that uv gets from its own index; None without uv, or without a network."""
    uv, version = _uv(), f"{newest[0]}.{newest[1]}"
    if not uv or not list(_said([*uv, "python", "install", "--quiet", version], lines=False)):
        return None
    found = next(_said([*uv, "python", "find", "--no-python-downloads", version]), None)
    return found if found and not _fault(found, newest) else None


def _uv() -> list[str] | None:
    program = shutil.which("uv")
    if program:
        return [program]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None


def _said(command: Sequence[str], lines: bool = True) -> Iterator[str]:
    """The first line that a command prints, where it succeeds and prints one; without ``lines`` that it
    succeeds."""
    timeout_s = _PROBE_TIMEOUT_S if lines else _FETCH_TIMEOUT_S
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return
    said = done.stdout.strip().splitlines()
    if done.returncode == 0 and (said or not lines):
        yield said[0].strip() if said else ""


def _none_found(name: str, newest: tuple[int, int], unfit: Sequence[str]) -> ToolError:
    last = f"{newest[0]}.{newest[1]}"
    looked = f"python{last} to python{OLDEST[0]}.{OLDEST[1]} on the PATH, pyenv, uv"
    reasons = "".join(f"\n  {fault}" for fault in unfit)
    return ToolError(
        f"{name} has no packages for Python {sys.version_info[0]}.{sys.version_info[1]}, and no other Python "
        f"that it has them for was found (looked for {looked}){reasons}",
        f"install Python {last} with venv (apt-get install python{last}-venv, or: pip install uv; "
        f"uv python install {last}), then: tinyserve setup --frontend {name}",
    )
