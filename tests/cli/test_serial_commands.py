# SPDX-License-Identifier: Apache-2.0
"""`device --pty` and `monitor`: long-running commands, talked to over ptys and ended by signals."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tinyserve.boards.catalog import load
from tinyserve.cli.main import main
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.devices.serial import SerialLink

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs ptys")

WAIT_S = 60


@contextmanager
def running(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A tinyserve command; killed at the end if it has not ended by then."""
    command = [sys.executable, "-m", "tinyserve", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=cwd, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> str:
    """The first line on stdout that is wanted."""
    assert process.stdout
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if wanted(line):
            return line.strip()
        assert line or process.poll() is None, process.stderr.read() if process.stderr else ""
    raise AssertionError("the line did not come")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_device_on_a_pty_serves_runners_one_after_the_other_until_a_signal(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    write_classifier(tmp_path / "shapes.tflite")
    with running("device", "shapes.tflite", "--board", "cortex-m4", "--pty", cwd=tmp_path) as process:
        port = line_of(process, lambda line: line.startswith("/dev/"))
        for _ in range(2):
            with open_device(None, load("cortex-m4"), port=port) as device:
                client = Client(device.link)
                assert client.name() == "tinyserve, emulated: times are estimates"
                client.mlperf_load(bytes(64))
                assert len(client.mlperf_infer(1).results) == 3
        process.send_signal(number)
        assert process.wait(WAIT_S) == status


def ask(link: SerialLink, command: str) -> list[str]:
    """As MLPerf Tiny's runner does: a command, then every line until one that holds m-ready."""
    link.write(f"{command}%".encode())
    return answer(link)


def answer(link: SerialLink) -> list[str]:
    lines = []
    while "m-ready" not in (line := link.read_line(WAIT_S)):
        lines.append(line)
    return lines


@pytest.mark.parametrize(("mode", "baud", "piece"), [("performance", 115200, 31), ("energy", 9600, 26)])
def test_a_runner_holds_its_whole_dialogue_in_both_modes(
    tmp_path: Path, mode: str, baud: int, piece: int
) -> None:
    write_classifier(tmp_path / "shapes.tflite")
    options = ["--board", "cortex-m4", "--pty", *(["--energy-mode"] if mode == "energy" else [])]
    data = bytes(range(64))
    with running("device", "shapes.tflite", *options, cwd=tmp_path) as process:
        link = SerialLink(line_of(process, lambda line: line.startswith("/dev/")), load("cortex-m4"), baud)
        try:
            first = ask(link, "name")
            name = ["m-name-dut-[tinyserve, emulated: times are estimates]"]
            if first != name:
                assert first[-1:] in ([], ["m-init-done"])  # as much of the greeting as was still to be read
                assert answer(link) == name
            about = ask(link, "profile")
            assert about[1] == "m-model-[shapes]"
            assert re.fullmatch(
                r"m-emulated-\[m-lap-us is an estimate: 1\.[1-9]\d cycles per instruction at 25 MHz\]",
                about[2],
            )
            stamps = [f"m-lap-us-{n}" for n in "N"] if mode == "performance" else []
            assert [line[:9] for line in ask(link, "timestamp")] == [stamp[:9] for stamp in stamps]
            ask(link, f"db load {len(data)}")
            sent = [ask(link, f"db {data[at : at + piece].hex()}") for at in range(0, len(data), piece)]
            assert sent[-1] == ["m-load-done"]
            assert ask(link, "db print")[0] == "m-buffer-00-01-02-03-04-05-06-07"
            lines = ask(link, "infer 3 1")
            marks = ["m-warmup-start-1", "m-warmup-done", "m-infer-start-3", *stamps * 2, "m-infer-done"]
            assert [line[:9] for line in lines[:-1]] == [mark[:9] for mark in marks]
            assert lines[-1].startswith("m-results-[")
            assert ask(link, "results") == lines[-1:]
            assert ask(link, "start")[0].startswith("e-[unknown command")
        finally:
            link.close()


def test_bench_asks_the_firmware_at_a_port_which_board_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_classifier(tmp_path / "shapes.tflite")
    with running("device", "shapes.tflite", "--board", "cortex-m4", "--pty", cwd=tmp_path) as process:
        port = line_of(process, lambda line: line.startswith("/dev/"))
        monkeypatch.chdir(tmp_path)
        assert main(["bench", "shapes.tflite", "--port", port, "--runs", "2"]) == 0
        assert "shapes on cortex-m4" in capsys.readouterr().out


def test_bench_without_a_board_and_a_port_says_what_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "shapes.tflite"]) == 2
    assert "add --board NAME" in capsys.readouterr().err


def test_monitor_shows_lines_with_their_meaning(tmp_path: Path) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        with running("monitor", "--board", "cortex-m4", "--port", os.ttyname(slave), cwd=tmp_path) as process:
            assert process.stderr
            assert "Ctrl-C ends" in process.stderr.readline()
            os.write(master, b"m-lap-us-2500000\r\n")
            assert select.select([process.stdout], [], [], WAIT_S)[0]
            assert line_of(process, bool) == "m-lap-us-2500000    its clock: 2.500000 s"
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT_S) == 130
    finally:
        os.close(master)
        os.close(slave)
