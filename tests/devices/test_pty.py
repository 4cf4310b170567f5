# SPDX-License-Identifier: Apache-2.0
"""An emulated board on a pty serves any program that opens serial ports."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.devices.conftest import BuildProbe
from tinyserve.boards.types import Board
from tinyserve.devices import open_device, pty
from tinyserve.devices.link import LinkClosed
from tinyserve.devices.serial import SerialLink


@contextmanager
def standing(build_probe: BuildProbe, name: str, emulator: str) -> Iterator[tuple[str, Board]]:
    """The path of a pty with the probe firmware behind it."""
    firmware, board = build_probe(name)
    paths: queue.Queue[str] = queue.Queue()
    over = threading.Event()

    def serve() -> None:
        with open_device(firmware, board, emulator) as device:
            pty.serve(device, paths.put, over.is_set)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield paths.get(timeout=20), board
    finally:
        over.set()
        thread.join(20)
        assert not thread.is_alive()


def ask(link: SerialLink, command: str) -> str:
    """The answer. The greeting comes before it if the port was opened early enough to see that."""
    link.write(command.encode() + b"%")
    line = link.read_line(20)
    return link.read_line(20) if line == "ready" else line


@pytest.mark.parametrize(("name", "emulator"), [("cortex-m4", "unicorn"), ("mps2-an385", "qemu")])
def test_programs_come_and_go_and_the_board_stays(build_probe: BuildProbe, name: str, emulator: str) -> None:
    with standing(build_probe, name, emulator) as (path, board):
        for text in ("one", "two"):
            link = SerialLink(path, board)
            assert ask(link, f"e {text}") == f" {text}"
            link.close()


def test_a_long_answer_passes_whole(build_probe: BuildProbe) -> None:
    with standing(build_probe, "cortex-m4", "unicorn") as (path, board):
        link = SerialLink(path, board)
        assert ask(link, "e there") == " there"
        link.write(b"b%")
        data = b""
        while not data.endswith(b"\n"):
            data += link.read_some(1)
        assert data == b"b" * 100_000 + b"\r\n"
        link.close()


def test_the_end_of_the_device_ends_the_service(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("cortex-m4")
    with open_device(firmware, board) as device:
        device.link.write(b"u%")
        with pytest.raises(LinkClosed, match="undefined_instruction"):
            pty.serve(device, lambda path: None)
