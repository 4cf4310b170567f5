# SPDX-License-Identifier: Apache-2.0
"""One process at a time in a place, until it ends however it does."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tinyserve.errors import FileSystemError
from tinyserve.locks import alone, scratch
from tinyserve.platforms.base import Platform
from tinyserve.platforms.darwin import Darwin
from tinyserve.platforms.posix import Posix
from tinyserve.platforms.windows import Windows

HOLD = """
import sys, time
from pathlib import Path
from tinyserve.locks import alone
with alone(Path(sys.argv[1]), shared=len(sys.argv) > 2):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))


def holder(place: Path, *shared: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, place, *shared], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_waits_and_gets_the_place_when_the_first_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    with holder(tmp_path) as other:
        with (
            pytest.raises(FileSystemError, match="another tinyserve"),
            alone(tmp_path, lambda stage, *_: said.append(stage), wait_s=0.2),
        ):
            raise AssertionError("entered")
        other.kill()
        with alone(tmp_path, wait_s=10):
            pass
    assert "waiting for another tinyserve" in said[0]


def test_those_that_share_a_place_share_it_and_nobody_has_it_alone(tmp_path: Path) -> None:
    with holder(tmp_path, "shared") as other:
        with alone(tmp_path, shared=True, wait_s=0.2):
            pass
        with pytest.raises(FileSystemError), alone(tmp_path, wait_s=0.2):
            raise AssertionError("entered")
        other.kill()


def test_a_process_may_hold_a_place_twice_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with alone(place), alone(place):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "place"]


def test_without_a_cache_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "file" / "cache"))
    with alone(tmp_path):
        pass


@pytest.mark.parametrize("system", [Darwin(), Windows()], ids=["darwin", "windows"])
def test_a_place_in_another_case_is_the_same_where_the_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: Platform
) -> None:
    monkeypatch.setattr(Posix, "folded", lambda self, path: system.folded(path))
    with alone(tmp_path / "Models"), alone(tmp_path / "models", wait_s=0.0):
        pass


KEEP = """
import sys
from pathlib import Path
from tinyserve.locks import scratch
with scratch("work-", Path(sys.argv[1])) as made:
    (made / "object.o").write_bytes(bytes(99))
    print(made, flush=True)
    sys.stdin.readline()
"""


def test_scratch_that_a_killed_process_left_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    foreign = tmp_path / "work-of-somebody"
    foreign.mkdir(mode=0o700)
    (tmp_path / "work-file").write_text("kept")
    (tmp_path / "work-link").symlink_to(foreign)
    left: list[Path] = []
    with ExitStack() as living:
        for ends in (True, False):
            process = living.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", KEEP, tmp_path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            assert process.stdout is not None
            left.append(Path(process.stdout.readline().strip()))
            living.callback(process.kill)
            if ends:
                process.kill()
                process.wait()
        with scratch("work-", tmp_path):
            assert all(path.is_dir() for path in left)  # young: it may just be in the making
        for path in left:
            os.utime(path / ".owner", (1, 1))
        with scratch("work-", tmp_path) as made:
            assert [path.exists() for path in left] == [False, True]
            assert made.is_dir()
        assert not made.exists()
    assert foreign.is_dir()
    assert (tmp_path / "work-link").is_symlink() and (tmp_path / "work-file").is_file()
