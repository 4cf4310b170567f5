# SPDX-License-Identifier: Apache-2.0
"""What doctor finds, with tools that are there and tools that are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyserve import boards, doctor
from tinyserve.cli.main import main


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path / "cache"))


def finding(name: str, board: str | None = None) -> doctor.Finding:
    found = doctor.examine(boards.load(board) if board else None)
    return next(one for one in found if one.name == name)


def test_what_is_installed_is_found_with_its_version() -> None:
    assert finding("ziglang").ok
    assert finding("ziglang").found[0].isdigit()


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("empty_path")
@pytest.mark.parametrize(
    ("name", "board", "needed"),
    [
        ("qemu-system-arm", "cortex-m55", True),
        ("qemu-system-arm", "cortex-m4", False),
        ("qemu-system-arm", None, False),
        ("cc", "host", True),
        ("cc", "nano33", False),
    ],
)
def test_a_missing_program_is_needed_by_the_boards_that_cannot_do_without(
    name: str, board: str | None, needed: bool
) -> None:
    found = finding(name, board)
    assert not found.ok
    assert found.needed == needed
    assert found.remedy.startswith("apt install")


@pytest.mark.usefixtures("empty_path")
def test_the_exit_status_tells_ci_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--board", "cortex-m55", "--json"]) == 6
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["qemu-system-arm"]["needed"]
    assert main(["doctor", "--board", "cortex-m4"]) == 0
    assert "qemu-system-arm" in capsys.readouterr().out


def test_an_unknown_front_end_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--frontend", "caffe"]) == 2
    assert "keras2" in capsys.readouterr().err
