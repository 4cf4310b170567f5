# SPDX-License-Identifier: Apache-2.0
"""The lines of docs/guide/cli.md complete commands and options in the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tinyserve.bundle import MANIFEST_FILE
from tinyserve.cli.completion import BOARD, BUNDLE, MANIFEST, SCHEME, SOURCE, ModelPath, Words

pytestmark = pytest.mark.skipif(os.name != "posix", reason="shells of Unix")

BASH = """
eval "$(_TINYSERVE_COMPLETE=bash_source tinyserve)"
COMP_WORDS=({words}) COMP_CWORD=$(({count} - 1))
_tinyserve_completion tinyserve
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
# The completion system's own functions write into the line editor: these print what they are given.
ZSH = """
autoload -U compinit && compinit -u -d "$PWD/zcompdump"
eval "$(_TINYSERVE_COMPLETE=zsh_source tinyserve)"
_describe() {{ print -l -- "${{(@P)3}}"; }}
compadd() {{
  while (( $# )) && [[ "$1" != -a ]]; do shift; done
  (( $# )) && print -l -- "${{(@P)2}}"
}}
words=({words}) CURRENT={count}
_tinyserve_completion
"""
FISH = """
_TINYSERVE_COMPLETE=fish_source tinyserve | source
complete --do-complete "{line}"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A PATH with the command."""
    program = tmp_path / "bin" / "tinyserve"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tinyserve "$@"\n')
    program.chmod(0o755)
    return tmp_path


def completed(shell: str, line: str, place: Path) -> set[str]:
    """What a shell offers for the last word of a line."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"no {shell}")
    words = line.split(" ")
    quoted = " ".join(f'"{word}"' for word in words)
    script = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell].format(words=quoted, count=len(words), line=line)
    done = subprocess.run(
        [path, *(("--noprofile", "--norc") if shell == "bash" else ("-f",) if shell == "zsh" else ())],
        input=script, capture_output=True, text=True, timeout=60, check=False, cwd=place,
        env={**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}", "HOME": str(place)},
    )  # fmt: skip
    return {line.split("\t")[0].split(":")[0] for line in done.stdout.splitlines() if line.strip()}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("tinyserve be", "bench"),
        ("tinyserve boards --ch", "--check"),
        ("tinyserve bench m.tflite --board nano33b", "nano33ble-sense-rev2"),
        ("tinyserve health build/k", "build/kws"),
        ("tinyserve export m.tflite --as ze", "zephyr"),
    ],
)
def test_a_shell_completes_commands_and_options(shell: str, line: str, offered: str, place: Path) -> None:
    bundle = place / "build" / "kws"
    bundle.mkdir(parents=True)
    (bundle / MANIFEST).write_text("{}", encoding="utf-8")
    found = completed(shell, line, place)
    assert offered in found
    assert "convert" not in found


def offered(kind: Words | ModelPath, incomplete: str) -> list[str]:
    """What is offered as it is; files that the shell finds by itself are "<file>"."""
    context = click.Context(click.Command("x"))
    found = kind.shell_complete(context, click.Option(["--x"]), incomplete)
    return ["<file>" if item.type == "file" else str(item.value) for item in found]


def test_boards_and_schemes_are_offered_by_name() -> None:
    assert offered(BOARD, "nucleo-h743") == ["nucleo-h743zi", "nucleo-h743zi2"]
    assert offered(BOARD, "NANO33") == ["nano33", "nano33ble-sense-rev2"]
    assert "cores" not in offered(BOARD, "")
    assert offered(BOARD, "./mine") == ["<file>"], "a board file of one's own"
    assert offered(SCHEME, "int") == ["int8", "int16x8"]


def test_bundles_and_models_are_offered_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert offered(SOURCE, "") == ["<file>"]
    for name in ("build/kws", "build/half", "own bundle"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("build/kws", "own bundle"):
        (tmp_path / name / MANIFEST).touch()
    for name in ("model.KERAS", "notes.txt", "build/vww.tflite"):
        (tmp_path / name).touch()
    assert offered(SOURCE, "") == ["build/kws", "build/vww.tflite", "model.KERAS", "own bundle"]
    assert offered(SOURCE, "build/v") == ["build/vww.tflite"]
    assert offered(BUNDLE, "build/") == ["build/kws"]
    assert offered(BUNDLE, "build/h") == ["<file>"]
    assert offered(SOURCE, "gone/\0") == ["<file>"]


def test_the_name_of_a_bundle_s_manifest_is_the_bundle_s() -> None:
    assert MANIFEST == MANIFEST_FILE
