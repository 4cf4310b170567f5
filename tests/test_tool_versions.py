# SPDX-License-Identifier: Apache-2.0
"""What compilers and emulators say of themselves, word for word, and what is said of their versions."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tinyserve.tool_versions import identify, remark

BANNERS = [
    ("gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022", "gcc 12.2.0"),
    ("cc (Ubuntu 13.3.0-6ubuntu2~24.04) 13.3.0", "gcc 13.3.0"),
    ("aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0", "gcc 12.2.0"),
    ("gcc-14 (Homebrew GCC 14.2.0_1) 14.2.0", "gcc 14.2.0"),
    ("Debian clang version 14.0.6\nTarget: x86_64-pc-linux-gnu", "clang 14.0.6"),
    ("Ubuntu clang version 18.1.3 (1ubuntu1)", "clang 18.1.3"),
    ("clang version 19.1.7", "clang 19.1.7"),
    ("Apple clang version 15.0.0 (clang-1500.3.9.4)\nTarget: arm64-apple-darwin23.4.0", "Apple clang 15.0.0"),
    ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", "QEMU 7.2.22"),
    ("arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205", "arm-none-eabi-gcc 12.2.1"),
    (
        "arm-none-eabi-gcc (Arm GNU Toolchain 13.2.rel1 (Build arm-13.7)) 13.2.1 20231009",
        "arm-none-eabi-gcc 13.2.1",
    ),
    ("riscv64-unknown-elf-gcc (12.2.0-14+11+b1) 12.2.0", "riscv64-unknown-elf-gcc 12.2.0"),
    ("0.17.1", "zig 0.17.1"),
    ("0.18.0-dev.12+ab34", "zig 0.18.0"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "tool"), BANNERS)
def test_tools_are_known_by_their_own_words(said: str, tool: str) -> None:
    assert str(identify(said)) == tool


@pytest.mark.parametrize("said", ["", "\n\n\n", "what?", "bash: gcc: command not found", "valgrind-3.19.0"])
def test_what_is_no_banner_is_no_tool(said: str) -> None:
    assert identify(said) is None
    assert remark(said) == ""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("clang version 3.4.2", "clang 3.4.2 is older than 14.0, the oldest clang that"),
        ("clang version 99.0.1", "clang 99.0.1 is newer than 21.1, the newest clang that"),
        ("gcc (GCC) 4.8.5 20150623 (Red Hat 4.8.5-44)", "gcc 4.8.5 is older than 12.2"),
        ("arm-none-eabi-gcc (GNU Tools) 9.2.1 20191025", "arm-none-eabi-gcc 9.2.1 is older than 12.2"),
        ("QEMU emulator version 6.2.0 (Debian)", "QEMU 6.2.0 is older than 7.2"),
        ("0.13.0", "zig 0.13.0 is older than 0.17"),
        ("Apple clang version 15.0.0 (clang-1500.3.9.4)", "was not tried with Apple clang"),
    ],
)
def test_a_version_beyond_those_that_were_tried_is_said_so(said: str, words: str) -> None:
    assert words in remark(said)


@pytest.mark.parametrize(
    "said", [said for said, tool in BANNERS if "Apple" not in tool and "0.18" not in tool]
)
def test_nothing_is_said_of_a_version_that_was_tried(said: str) -> None:
    assert remark(said) == ""


@pytest.mark.parametrize("program", ["gcc", "clang", "qemu-system-arm", "arm-none-eabi-gcc"])
def test_the_programs_of_this_computer_are_known(program: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"no {program}")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert identify(said) is not None
