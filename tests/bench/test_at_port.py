# SPDX-License-Identifier: Apache-2.0
"""What answers at a port is believed where it names itself: another board is refused, a twin is no board."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tests.devices.faulty_line import FaultyLine, faulty_line
from tinyserve import boards, workflow
from tinyserve.cli.main import main
from tinyserve.progress import silent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs ptys")


@pytest.fixture
def nano33(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyLine]:
    """A twin at a port, with the firmware of ``made``, a bundle in the current directory."""
    monkeypatch.chdir(tmp_path)
    model = write_classifier(tmp_path / "shapes.tflite")
    board = boards.load("nano33")
    made = workflow.to_bundle(model, workflow.Conversion(output=Path("made")), silent)
    compiled = workflow.to_compiled(made, board, workflow.Build(), silent)
    firmware = workflow.to_firmware(made, compiled, board, workflow.Build(emulate=True), silent)
    with faulty_line(firmware, board) as line:
        yield line


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Passes whole lines, with other words in them."""
    held = bytearray()

    def change(data: bytes) -> bytes:
        held.extend(data)
        whole, end, rest = bytes(held).rpartition(b"\n")
        held[:] = rest
        return (whole + end).replace(old, new)

    return change


def test_another_board_than_the_named_one_is_refused(
    nano33: FaultyLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "made", "--board", "feather-m4", "--port", nano33.path]) == 8
    said = " ".join(capsys.readouterr().err.split())
    assert "no feather-m4 answers: its firmware was built for nano33" in said
    assert "--board nano33" in said and "tinyserve flash --board feather-m4" in said


def test_a_twin_at_a_port_is_not_called_the_board_itself(
    nano33: FaultyLine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "made", "--board", "nano33", "--port", nano33.path, "--json", "r.json"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "on a twin at a serial port" in said and "the board itself" not in said
    setup = json.loads(Path("r.json").read_text())["results"][0]["setup"]
    assert (setup["device"], setup["emulated"]) == ("serial", True)


def test_a_device_that_does_not_call_itself_emulated_is_the_board(
    nano33: FaultyLine, capsys: pytest.CaptureFixture[str]
) -> None:
    nano33.to_host = replaced(b"tinyserve, emulated: times are estimates", b"tinyserve")
    assert main(["bench", "made", "--board", "nano33", "--port", nano33.path]) == 0
    assert "on the board itself" in " ".join(capsys.readouterr().out.split())


def test_firmware_of_another_protocol_is_refused(
    nano33: FaultyLine, capsys: pytest.CaptureFixture[str]
) -> None:
    nano33.to_host = replaced(b"protocol=1]", b"protocol=2]")
    assert main(["bench", "made", "--board", "nano33", "--port", nano33.path]) == 8
    said = " ".join(capsys.readouterr().err.split())
    assert "version 2 of the protocol" in said and "flash it again" in said
