# SPDX-License-Identifier: Apache-2.0
"""Boards in QEMU count as Unicorn does, and their end is explained."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from tests.devices.conftest import BuildProbe
from tinyserve.boards.types import Emulator
from tinyserve.devices import open_device
from tinyserve.devices.emulators.qemu import QemuDevice
from tinyserve.devices.link import LinkClosed, NoAnswer
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, ToolError

needs_arm = pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="qemu-system-arm is not installed")
needs_riscv = pytest.mark.skipif(
    not shutil.which("qemu-system-riscv32"), reason="qemu-system-riscv32 is not installed"
)
BOARDS = [
    pytest.param("mps2-an385", marks=needs_arm),
    pytest.param("mps2-an386", marks=needs_arm),
    pytest.param("mps2-an500", marks=needs_arm),
    pytest.param("rv32imc", marks=needs_riscv),
]


def ask_all(build_probe: BuildProbe, name: str, emulator: str, commands: list[str]) -> list[str]:
    firmware, board = build_probe(name)
    with open_device(firmware, board, emulator) as device:
        assert device.link.read_line(20) == "ready"
        answers = []
        for command in commands:
            device.link.write(command.encode() + b"%")
            answers.append(device.link.read_line(20))
        return answers


@pytest.mark.parametrize("name", BOARDS)
def test_the_same_firmware_counts_the_same_in_qemu_and_unicorn(build_probe: BuildProbe, name: str) -> None:
    # A difference of two loops: reading the clock takes other instructions on the two.
    counts = {}
    for emulator in ("qemu", "unicorn"):
        short, *long = (
            int(answer, 16)
            for answer in ask_all(build_probe, name, emulator, ["c1", "c1000", "c54321", "c3000000"])
        )
        counts[emulator] = [count - short for count in long]
    assert counts["qemu"] == counts["unicorn"] == [2 * 999, 2 * 54_320, 2 * 2_999_999]


@pytest.mark.parametrize("name", BOARDS)
def test_a_command_that_comes_while_the_firmware_starts_is_not_lost(
    build_probe: BuildProbe, name: str
) -> None:
    # QEMU forgets what comes before the UART is switched on: the link holds it back.
    firmware, board = build_probe(name)
    for _ in range(3):
        with open_device(firmware, board, "qemu") as device:
            device.link.write(b"e early%")
            assert [device.link.read_line(20) for _ in range(2)] == ["ready", " early"]


@pytest.mark.parametrize("name", BOARDS)
def test_a_hang_names_where(build_probe: BuildProbe, name: str) -> None:
    firmware, board = build_probe(name)
    with open_device(firmware, board, "qemu") as device:
        device.link.read_line(20)
        device.link.write(b"h%")
        said, deadline_s = "", time.monotonic() + 60
        while "running hang" not in said and time.monotonic() < deadline_s:  # a busy machine gets there late
            with pytest.raises(NoAnswer) as caught:
                device.link.read_line(0.3)
            said = caught.value.message
        assert re.search(r"no answer within 0\.3 s, running hang \(probe\.c:\d+\)", said)


@needs_arm
def test_a_lockup_ends_in_qemu_s_own_words(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("mps2-an385")
    with open_device(firmware, board, "qemu") as device:
        device.link.read_line(20)
        device.link.write(b"u%")
        with pytest.raises(LinkClosed, match=r"QEMU ended: .*Lockup.*received last: 'ready'"):
            device.link.read_line(20)


@needs_riscv
def test_a_trap_names_where_it_came_from(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("rv32imc")
    with open_device(firmware, board, "qemu") as device:
        device.link.read_line(20)
        device.link.write(b"u%")
        with pytest.raises(NoAnswer, match="running "):
            device.link.read_line(0.5)


@needs_arm
def test_a_machine_that_qemu_lacks_ends_in_its_words(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("mps2-an385")
    with pytest.raises(DeviceError, match=r"QEMU did not start: .*unsupported machine type"):
        QemuDevice(Symbols(firmware.elf), board, Emulator("qemu", "no-such-machine"))


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "QEMU emulator version 5.2.0 (Debian)",
            "this is QEMU 5.2.0; 6.0 is the first with all machines",
        ),
        ("QEMU emulator version 11.1.3", "QEMU 11.1.3 was tried, with other options; --emulator unicorn"),
        ("QEMU emulator version 6.2.0", "QEMU 6.2.0 is older than 7.2, the oldest QEMU that tinyserve was"),
        ("QEMU emulator version 13.0.0", "QEMU 13.0.0 is newer than 11.1, the newest QEMU that tinyserve"),
        ("what?", "of no known version"),
    ],
)
def test_a_qemu_that_does_not_start_is_named_with_its_version(
    build_probe: BuildProbe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, advice: str
) -> None:
    """As 5.2 answers for a machine that came later, and 11.1 warns before it says anything."""
    program = tmp_path / "qemu-system-arm"
    program.write_text(
        f'#!/bin/sh\ncase "$1" in --version) echo "{said}"; exit;; esac\n'
        "echo \"qemu-system-arm: -mon x: warning: '-mon' is deprecated\" >&2\n"
        'echo "qemu-system-arm: unsupported machine type" >&2\nexit 1\n'
    )
    program.chmod(0o755)
    firmware, board = build_probe("mps2-an385")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DeviceError, match="QEMU did not start: qemu-system-arm: unsupported") as caught:
        QemuDevice(Symbols(firmware.elf), board, Emulator("qemu", "mps3-an547"))
    assert advice in caught.value.hint


def test_a_missing_qemu_comes_with_the_command_that_installs_it(
    build_probe: BuildProbe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    firmware, board = build_probe("mps2-an385")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ToolError, match="apt install qemu-system-arm"),
        open_device(firmware, board, "qemu"),
    ):
        pass


@pytest.mark.parametrize("name", BOARDS)
def test_every_byte_arrives_as_it_is(build_probe: BuildProbe, name: str) -> None:
    # Among them QEMU's escape characters, which would end it.
    text = bytes(range(1, 256)).replace(b"%", b"").replace(b"\n", b"").replace(b"\r", b"")
    firmware, board = build_probe(name)
    with open_device(firmware, board, "qemu") as device:
        device.link.read_line(20)
        for part in (text[:120], text[120:], b"\xffx\xff\xffx\x01x"):
            device.link.write(b"e" + part + b"%")
            assert device.link.read_line(20) == part.decode("ascii", "backslashreplace")


@needs_arm
def test_two_run_beside_each_other(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("mps2-an385")
    with open_device(firmware, board, "qemu") as one, open_device(firmware, board, "qemu") as other:
        for device, text in ((one, "first"), (other, "second")):
            device.link.read_line(20)
            device.link.write(f"e {text}%".encode())
        assert (one.link.read_line(20), other.link.read_line(20)) == (" first", " second")
