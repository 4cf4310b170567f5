# SPDX-License-Identifier: Apache-2.0
"""Full disks, odd consoles, no home, little memory, signals: one line, the documented status."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bench.models import write_classifier, write_dataset

PREFIX = [sys.executable, "-m", "tinyserve"]


def run(
    *arguments: str, shell: str = "", env: dict[str, str] | None = None, **options: object
) -> subprocess.CompletedProcess[str]:
    """The command, or a shell line in which it is "$@"."""
    command = ["sh", "-c", shell, "sh", *PREFIX, *arguments] if shell else [*PREFIX, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=120,
        env={**os.environ, **(env or {})}, check=False,
        **options,  # type: ignore[call-overload]
    )  # fmt: skip


def assert_one_message(done: subprocess.CompletedProcess[str], status: int) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr


def test_a_full_disk_behind_stdout_is_said_once() -> None:
    done = run("boards", shell='"$@" > /dev/full')
    assert_one_message(done, 9)
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    assert_one_message(run("boards", shell=f'"$@" {closed}'), 0)


def test_an_error_that_nobody_can_read_still_has_its_status() -> None:
    assert run("inspect", "gone.tflite", shell='"$@" 2> /dev/full').returncode == 9


CONSOLES = {
    **{encoding: {"PYTHONIOENCODING": encoding} for encoding in ("ascii", "latin-1", "cp437")},
    # Where Python may not take UTF-8 instead, it writes what names of files have and ASCII lacks, no more.
    "the C locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("console", CONSOLES)
def test_a_console_without_our_characters_shows_what_it_can(console: str, tmp_path: Path) -> None:
    model = write_classifier(tmp_path / "größe.tflite")
    done = run("inspect", str(model), env={**CONSOLES[console], "PYTHONUTF8": "0"})
    assert done.returncode == 0, done.stderr
    # Nothing but a line per stage, the ellipsis in front of it or what stands for it.
    assert all(line.startswith(("…", "\\u2026", "?")) for line in done.stderr.splitlines()), done.stderr


@pytest.mark.skipif(sys.platform == "darwin", reason="names of files are UTF-8 in every locale")
def test_a_locale_that_lacks_a_name_s_characters_is_said_in_one_line(tmp_path: Path) -> None:
    write_classifier(tmp_path / "größe.tflite")
    env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run("bench", "größe.tflite", "--board", "host", cwd=tmp_path, env=env)
    said = [line for line in done.stderr.splitlines() if not line.startswith("?")]
    assert done.returncode == 9 and len(said) == 2 and "PYTHONUTF8=1" in said[1], done.stderr


@pytest.mark.parametrize(
    ("kilobytes", "arguments", "result"),
    [
        (0.5, ("convert", "m.tflite", "-o", "made"), "made"),
        (1.6, ("convert", "m.tflite", "-o", "made"), "made"),
        (2, ("compile", "m.tflite", "-o", "made"), "made"),
        (4, ("bench", "m.tflite", "--board", "host", "--json", "r.json"), "r.json"),
    ],
)
def test_files_that_find_no_room_in_mid_command_leave_nothing(
    kilobytes: float, arguments: tuple[str, ...], result: str, tmp_path: Path
) -> None:
    """A limit on the size of files stands for a disk that gets full: whatever is written ends too early."""
    write_classifier(tmp_path / "m.tflite")
    mark, size = f"full-{os.getpid()}", int(kilobytes * 1024)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    env = {"TINYSERVE_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path), "MARK": mark}
    # Python up to 3.12 keeps bytecode that was cut off: whatever imports the module then, here or in another
    # test, ends in "marshal data too short".
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    done = run(*arguments, preexec_fn=limit, cwd=tmp_path, env=env)
    said = [line for line in done.stderr.splitlines() if not line.startswith("…")]
    assert done.returncode == 9, done.stderr
    assert len(said) == 2 and "File too large" in said[0] and said[1].startswith("  try: "), done.stderr
    assert not (tmp_path / result).exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"m.tflite", "cache", "build"}
    assert_gone(mark)


@pytest.mark.parametrize("arguments", [("bench", "--board", "host"), ("accuracy", "--dataset", "d.npz")])
def test_a_cache_that_cannot_be_written_is_named(arguments: tuple[str, ...], tmp_path: Path) -> None:
    write_classifier(tmp_path / "m.tflite")
    write_dataset(tmp_path / "d.npz")
    (tmp_path / "file").touch()
    command, *options = arguments
    env = {"TINYSERVE_CACHE": str(tmp_path / "file" / "cache")}
    done = run(command, "m.tflite", *options, cwd=tmp_path, env=env)
    assert done.returncode == 9, done.stderr
    assert "Traceback" not in done.stderr and "set TINYSERVE_CACHE" in done.stderr


def test_without_a_home_the_cache_is_elsewhere(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("HOME", "TINYSERVE_CACHE")}
    code = (
        "import os, pwd; os.environ.pop('HOME', None); os.environ.pop('XDG_CACHE_HOME', None)\n"
        "def none(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = none\n"
        "from tinyserve.cache import cache_directory as c; print(c()); assert c() == c()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**env, "TMPDIR": str(tmp_path)},
        timeout=60, check=True,
    )  # fmt: skip
    place = Path(done.stdout.strip())
    assert place.parent == tmp_path
    assert place.stat().st_mode & 0o077 == 0


def test_little_memory_is_said_in_one_line(tmp_path: Path) -> None:
    model = write_classifier(tmp_path / "m.tflite")
    for megabytes in (60, 120, 200):

        def limit(size: int = megabytes << 20) -> None:
            resource.setrlimit(resource.RLIMIT_AS, (size, size))

        env = {"OPENBLAS_NUM_THREADS": "1", "TINYSERVE_CACHE": str(tmp_path / "cache")}
        done = run("inspect", str(model), preexec_fn=limit, env=env)
        # 6: the compiler found none. Others: the interpreter itself, or a library in C.
        if done.returncode not in (0, 6, 9):
            assert done.returncode in (1, -6, -11, 127), done.stderr
            assert "internal error" not in done.stderr


def _hear_hangups() -> None:
    """Under nohup the signal is ignored, and children inherit that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_sighup_ends_a_command_in_order(tmp_path: Path) -> None:
    model = write_classifier(tmp_path / "m.tflite")
    command = [*PREFIX, "device", str(model), "--board", "host", "--pty"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        preexec_fn=_hear_hangups,  # noqa: PLW1509 (the test starts no thread)
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        said = process.stderr.read()
        assert process.wait(30) == 129, said
    assert said.splitlines()[-1] == "hung up"
    assert "Traceback" not in said


def test_a_matrix_whose_parent_is_killed_leaves_no_process(tmp_path: Path) -> None:
    model = write_classifier(tmp_path / "m.tflite")
    mark = f"tinyserve-orphan-{os.getpid()}"
    command = [*PREFIX, "bench", str(model), "--board", "cortex-m4", "--board", "cortex-m0"]
    command += ["--runs", "100000000", "--fresh"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "MARK": mark}, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while len(marked(mark)) < 4 and time.monotonic() < deadline:  # parent, tracker, two workers
            time.sleep(0.2)
        assert len(marked(mark)) >= 4
        process.kill()
        process.wait(30)
        assert_gone(mark)


def assert_gone(mark: str) -> None:
    """Who was killed, or reads the end of a pipe, ends when the machine gets to it."""
    deadline = time.monotonic() + 60
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked(mark) == []


def marked(mark: str) -> list[int]:
    """The processes that were started with the mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"MARK={mark}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
