# SPDX-License-Identifier: Apache-2.0
"""PlatformIO's output, read: what went wrong, the state of the board, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware.tiny_model import tiny_model
from tinyserve import boards
from tinyserve.errors import FitError, ToolError
from tinyserve.firmware.platformio import failures
from tinyserve.firmware.platformio.project import render_project
from tinyserve.firmware.render import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return render_project(tiny_model(), boards.load("nano33"), tmp_path)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("ld: region `FLASH' overflowed by 1234 bytes", "flash is 1,234 bytes over"),
        ("section '.bss' will not fit in region 'RAM': overflowed by 77 bytes", "RAM is 77 bytes over"),
        ("ld: region `dram0_0_seg' overflowed by 99 bytes", "RAM is 99 bytes over"),
        (
            "Error: The program size (985000 bytes) is greater than maximum allowed (983040 bytes)",
            "flash is 1,960 bytes over",
        ),
        (
            "Warning! The data size (262200 bytes) is greater than maximum allowed (262144 bytes)",
            "RAM is 56 bytes over",
        ),
    ],
)
def test_an_overflow_counts_the_bytes_and_names_what_helps(
    project: Project, output: str, expected: str
) -> None:
    error = failures.build_error(f"Linking\n{output}\n*** [firmware.elf] Error 1", project)
    assert isinstance(error, FitError)
    assert expected in error.message
    assert "a board that it fits: " in error.hint
    assert "nano33" not in error.hint


def test_other_build_failures_show_the_lines_that_matter(project: Project) -> None:
    output = "Compiling a.o\na.c:3:1: error: expected ';'\n*** [a.o] Error 1\n==== [FAILED] ===="
    error = failures.build_error(output, project)
    assert isinstance(error, ToolError)
    assert "a.c:3:1: error: expected ';'" in error.message
    assert "Compiling" not in error.message


@pytest.mark.parametrize(
    ("output", "state", "remedy"),
    [
        ("No device found on ttyACM0", "bootloader was not found; the board still runs", "twice quickly"),
        ("Erasing flash\nWriting at 0x10000 12%\nSAM-BA operation failed", "broke off half-way", "cable"),
        ("could not open port: [Errno 13] Permission denied", "no permission", "99-tinyserve.rules"),
        ("something else", "before anything was written", "twice quickly"),
        ("", "PlatformIO said nothing", "run the command again"),
    ],
)
def test_a_failed_upload_says_the_board_s_state_and_the_way_out(output: str, state: str, remedy: str) -> None:
    error = failures.upload_error(output, boards.load("nano33"), "/dev/ttyACM0")
    assert error.message.startswith("nano33 at /dev/ttyACM0: ")
    assert state in error.message
    assert remedy in error.hint
