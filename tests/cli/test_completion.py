# SPDX-License-Identifier: Apache-2.0
"""The lines of docs/guide/cli.md complete commands and options in the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
  while [[ "$1" == -* && "$1" != -a ]]; do shift; done
  [[ "$1" == -a ]] && print -l -- "${{(@P)2}}"
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
    ("line", "offered"), [("tinyserve be", "bench"), ("tinyserve boards --ch", "--check")]
)
def test_a_shell_completes_commands_and_options(shell: str, line: str, offered: str, place: Path) -> None:
    found = completed(shell, line, place)
    assert offered in found
    assert "convert" not in found
