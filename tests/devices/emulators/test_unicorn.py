# SPDX-License-Identifier: Apache-2.0
"""Counts in Unicorn are exact, the link behaves as a serial line, and crashes say what happened."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.devices.conftest import BuildProbe
from tinyserve.boards.types import Board
from tinyserve.devices import open_device
from tinyserve.devices.emulators import monitor, shared_library
from tinyserve.devices.emulators.monitor import Stop
from tinyserve.devices.emulators.unicorn import Machine, UnicornDevice, UnicornLink
from tinyserve.devices.link import LinkClosed, NoAnswer
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import DeviceError, Terminated, ToolError, UsageError

BOARDS = ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "rv32imc"]


def start(build_probe: BuildProbe, name: str) -> UnicornLink:
    firmware, board = build_probe(name)
    link = UnicornLink(Machine(Symbols(firmware.elf), board), budget=50_000_000)
    assert link.read_line(10) == "ready"
    return link


def ask(link: UnicornLink, command: str) -> str:
    link.write(command.encode() + b"%")
    return link.read_line(30)


@pytest.mark.parametrize("name", BOARDS)
def test_a_loop_of_known_length_is_counted_exactly(build_probe: BuildProbe, name: str) -> None:
    link = start(build_probe, name)
    short, long = (int(ask(link, f"c{turns}"), 16) for turns in (1, 10_001))
    assert long - short == 2 * 10_000


def test_counts_are_the_same_however_the_run_is_cut_into_slices(build_probe: BuildProbe) -> None:
    totals = set()
    for piece in (7, 1_000, 10_000_000):
        machine = start(build_probe, "cortex-m4").machine
        machine.monitor.feed(b"c2000%")
        while Stop.LINE not in machine.run(piece):
            pass
        totals.add((machine.monitor.total, machine.monitor.take_output()))
    assert len(totals) == 1


def test_the_sum_over_blocks_is_the_total(build_probe: BuildProbe) -> None:
    link = start(build_probe, "cortex-m4")
    ask(link, "c3000")
    assert sum(block.executed for block in link.machine.blocks()) == link.machine.monitor.total


def test_the_block_table_grows(build_probe: BuildProbe, monkeypatch: pytest.MonkeyPatch) -> None:
    roomy = start(build_probe, "cortex-m4")
    monkeypatch.setattr(monitor, "FIRST_CAPACITY", 2)
    tight = start(build_probe, "cortex-m4")
    assert [ask(tight, "c100"), ask(tight, "m")] == [ask(roomy, "c100"), ask(roomy, "m")]
    assert tight.machine.monitor.total == roomy.machine.monitor.total
    assert len(tight.machine.blocks()) == len(roomy.machine.blocks())


@pytest.mark.parametrize("name", BOARDS)
def test_functions_of_a_marked_stretch_sum_to_what_the_firmware_measured(
    build_probe: BuildProbe, name: str
) -> None:
    firmware, board = build_probe(name)
    with open_device(firmware, board, "unicorn") as device:
        assert isinstance(device, UnicornDevice)
        assert device.link.read_line(10) == "ready"
        for _ in range(3):  # the last stretch alone counts
            measured = int(ask(device.link, "m"), 16)
        counts = device.function_counts()
    assert sum(counts.values()) == measured
    assert counts["counted_loop"] == 2 * 1000 + 1


@pytest.mark.parametrize("name", BOARDS)
def test_conditional_instructions_around_a_clock_read_keep_their_condition(
    build_probe: BuildProbe, name: str
) -> None:
    assert ask(start(build_probe, name), "i") == "00004003"


CRASHES = [
    (
        "cortex-m4",
        "f",
        r"write_to_flash \(probe\.c:\d+\), called from main_loop",
        r"wrote 4 bytes at 0x0.*flash",
    ),
    ("cortex-m4", "u", r"undefined_instruction \(probe\.c:\d+\)", "undefined instruction"),
    ("cortex-m0", "a", r"load_unaligned \(probe\.c:\d+\)", r"unaligned.*ldr r\d, \[r\d\]"),
    ("cortex-m4", "j", "called from", r"jumped to 0x60000000 \(no memory there\)"),
    ("cortex-m4", "s", r"recurse \(probe\.c:\d+\)", r"overflowed its stack.*below __stack_bottom"),
    ("rv32imc", "f", r"write_to_flash \(probe\.c:\d+\)", r"wrote 4 bytes at 0x8.*flash"),
    ("rv32imc", "u", r"undefined_instruction \(probe\.c:\d+\)", "undefined instruction"),
    ("rv32imc", "s", r"recurse \(probe\.c:\d+\)", "overflowed its stack"),
]


@pytest.mark.parametrize(("name", "command", "place", "what"), CRASHES)
def test_a_crash_names_function_line_and_what_was_done(
    build_probe: BuildProbe, name: str, command: str, place: str, what: str
) -> None:
    firmware, board = build_probe(name)
    with open_device(firmware, board, "unicorn") as device:
        device.link.read_line(10)
        device.link.write(command.encode() + b"%")
        with pytest.raises(LinkClosed, match=place) as caught:
            device.link.read_line(10)
        assert caught.match(what)
        assert caught.match("received last: 'ready'")
        with pytest.raises(LinkClosed, match="crashed in"):
            device.link.read_line(10)


def test_an_unaligned_load_is_fine_where_the_core_does_it(build_probe: BuildProbe) -> None:
    assert ask(start(build_probe, "cortex-m4"), "a") == "survived"


def test_a_hang_ends_by_the_budget_and_names_where(build_probe: BuildProbe) -> None:
    link = start(build_probe, "cortex-m4")
    link.write(b"h%")
    with pytest.raises(NoAnswer, match=r"hung: no answer in 50,000,000 instructions, running hang \(probe"):
        link.read_line(60)


def test_a_hang_ends_by_the_deadline(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("cortex-m4")
    with open_device(firmware, board) as device:
        device.link.read_line(10)
        device.link.write(b"h%")
        with pytest.raises(NoAnswer, match=r"no answer within 0\.1 s, running hang"):
            device.link.read_line(0.1)


def test_a_firmware_that_waits_is_not_waited_for(build_probe: BuildProbe) -> None:
    link = start(build_probe, "cortex-m4")
    link.write(b"p%")
    with pytest.raises(NoAnswer, match=r"waits for a command.*received last: 'half' without a line end"):
        link.read_line(3600)


def test_a_long_answer_arrives_whole(build_probe: BuildProbe) -> None:
    link = start(build_probe, "cortex-m4")
    link.write(b"b%")
    data = b""
    while not data.endswith(b"\n"):
        data += link.read_some(10)
    assert data == b"b" * 100_000 + b"\r\n"


def test_machines_do_not_disturb_each_other(build_probe: BuildProbe) -> None:
    results: dict[int, str] = {}

    def run(number: int) -> None:
        link = start(build_probe, "cortex-m4")
        results[number] = ask(link, "c200000") + ask(link, "m")

    build_probe("cortex-m4")
    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results.values())) == 1


def test_a_twin_runs_at_its_board_s_own_addresses(build_probe: BuildProbe) -> None:
    link = start(build_probe, "nucleo-l4r5zi")
    assert ask(link, "e there") == " there"
    assert link.machine.pc >= 0x0800_0000


def test_a_firmware_for_another_board_s_memory_is_refused(build_probe: BuildProbe) -> None:
    firmware, _ = build_probe("nucleo-l4r5zi")
    _, board = build_probe("cortex-m4")
    with (
        pytest.raises(ToolError, match="lie outside the memory of cortex-m4"),
        open_device(firmware, board),
    ):
        pass


def test_a_core_that_unicorn_lacks_is_refused(build_probe: BuildProbe) -> None:
    firmware, board = build_probe("cortex-m4")
    m55 = Board(**{**board_fields(board), "core": _core("mps3-an547")})
    with pytest.raises(UsageError, match="Unicorn does not emulate cortex-m55"):
        UnicornDevice(Symbols(firmware.elf), m55)


def test_without_a_compiler_the_error_says_how_to_get_one(
    build_probe: BuildProbe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    firmware, board = build_probe("cortex-m4")
    monkeypatch.setenv("TINYSERVE_CACHE", str(tmp_path))
    monkeypatch.setattr(shared_library, "_compilers", list)
    monitor._load.cache_clear()
    with pytest.raises(ToolError, match="no C compiler found") as caught, open_device(firmware, board):
        pass
    assert caught.value.hint == "pip install ziglang"


def test_memory_can_be_read_and_only_where_it_is(build_probe: BuildProbe) -> None:
    machine = start(build_probe, "cortex-m4").machine
    assert int.from_bytes(machine.read_memory(0, 4), "little") == machine.symbols.values["__stack_top"]
    with pytest.raises(DeviceError, match="no memory at 0x60000000"):
        machine.read_memory(0x6000_0000, 4)


def board_fields(board: Board) -> dict[str, object]:
    return {name: getattr(board, name) for name in board.__struct_fields__}


def _core(name: str) -> object:
    from tinyserve import boards

    return boards.load(name).core


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Terminated(143)])
def test_a_signal_in_the_middle_of_a_hook_ends_the_run_as_anywhere_else(
    build_probe: BuildProbe, stop: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> bool:
        raise stop

    monkeypatch.setattr(Machine, "_on_invalid_access", interrupted)
    with pytest.raises(type(stop)):
        start(build_probe, "cortex-m4")
