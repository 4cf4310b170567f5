# SPDX-License-Identifier: Apache-2.0
"""`build` where firmware is not built here: nothing is made in the board's name, and the hints work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tinyserve import boards, workflow
from tinyserve.boards import Board
from tinyserve.cli.main import main
from tinyserve.errors import UsageError
from tinyserve.firmware.platformio import deploy

ALL = boards.all_boards()


def refusal(board: Board, emulate: bool) -> UsageError | None:
    try:
        workflow.check_build(Path("kws"), board, board.id, emulate)
    except UsageError as error:
        return error
    return None


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.id)
@pytest.mark.parametrize("emulate", [False, True])
def test_real_boards_and_twins_without_an_emulator_are_refused_with_what_builds_for_them(
    board: Board, emulate: bool
) -> None:
    error = refusal(board, emulate)
    if error is None:
        assert emulate or not board.is_real
        return
    assert board.is_real
    assert ("--emulate builds" in error.hint) == (not emulate and refusal(board, True) is None)
    if board.platformio is not None:
        assert f"tinyserve flash kws --board {board.id}" in error.hint
        assert deploy.check_board(board, board.id, emulate=False) is False
    else:
        assert f"tinyserve export kws --as {board.export_kind} --board {board.id}" in error.hint
    generic = re.search(r"generic core: --board ([\w-]+)", error.hint)
    if generic:
        assert refusal(boards.load(generic[1]), emulate) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nrf5340-dk"], "tinyserve export shapes.tflite --as zephyr --board nrf5340-dk"),
        (["grove-vision-ai-v2"], "tinyserve export shapes.tflite --as cmake --board grove-vision-ai-v2"),
        (["ek-ra8m1", "--emulate"], "no emulator has its memory"),
        (["esp32dev", "--emulate"], "tinyserve flash shapes.tflite --board esp32dev"),
        (["nano33"], "tinyserve flash shapes.tflite --board nano33; --emulate builds for its twin"),
    ],
)
def test_the_command_says_so_before_it_makes_anything(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "shapes.tflite")
    assert main(["build", "shapes.tflite", "--board", *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("build").exists()
