# SPDX-License-Identifier: Apache-2.0
"""The serial protocol of docs/protocol.md, spoken with the host build over pipes."""

from __future__ import annotations

import random

import pytest

from tests.firmware.conversation import Conversation
from tests.firmware.tiny_model import SHA256

A = bytes([1, 2, 3, 4, 5, 6, 7, 8])
B = bytes([0, 0xFF, 0, 1])
SUM = bytes([6, 8, 12, 16])  # a[i] + a[i + 4] + b[i] + i


def _load(device: Conversation, index: int, data: bytes) -> None:
    device.ask(f"ts-select {index}")
    assert device.ask(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
    assert device.ask(f"db {data.hex()}") == ["m-load-done"]


def test_a_device_says_that_it_is_ready(device: Conversation) -> None:
    assert device.greeting == ["m-timestamp-mode-performance", "m-init-done"]


def test_name_and_profile_identify_firmware_and_model(device: Conversation) -> None:
    assert device.ask("name") == ["m-name-dut-[tinyserve]"]
    assert device.ask("profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[tiny01]"]


def test_timestamps_do_not_go_back(device: Conversation) -> None:
    first, second = (int(device.ask("timestamp")[0].removeprefix("m-lap-us-")) for _ in range(2))
    assert first <= second


def test_help_names_every_command(device: Conversation) -> None:
    words = {line.removeprefix("m-help-[").split(":")[0].split()[0] for line in device.ask("help")}
    mlperf = {"name", "profile", "timestamp", "db", "infer", "results", "help"}
    own = {"info", "select", "infer", "output", "memory", "profile", "reset"}
    assert words == mlperf | {f"ts-{word}" for word in own}


def test_an_input_is_loaded_in_pieces_and_can_be_printed(device: Conversation) -> None:
    assert device.ask("db") == ["m-[0 of 0 bytes]"]
    assert device.ask("db load 8") == ["m-[Expecting 8 bytes]"]
    assert device.ask("db 0102") == ["m-[2 of 8 bytes]"]
    assert device.ask("db ABcdEF") == ["m-[5 of 8 bytes]"]
    assert device.ask("db") == ["m-[5 of 8 bytes]"]
    assert device.ask("db print") == ["m-buffer-01-02-ab-cd-ef"]
    assert device.ask("db 060708") == ["m-load-done"]
    assert device.ask("db print") == ["m-buffer-01-02-ab-cd-ef-06-07-08"]


def test_infer_answers_as_mlperf_tiny_runners_expect(device: Conversation) -> None:
    _load(device, 0, A)
    _load(device, 1, B)
    lines = device.ask("infer 2 1")
    assert lines[:3] == ["m-warmup-start-1", "m-warmup-done", "m-infer-start-2"]
    start, end = (int(line.removeprefix("m-lap-us-")) for line in lines[3:5])
    assert start <= end
    assert lines[5] == "m-infer-done"
    assert lines[6:] == ["m-results-[0.523,0.531,0.547,0.562]"]  # (q + 128) / 256, half to even
    assert device.ask("results") == lines[6:]


def test_infer_without_numbers_runs_once_after_ten_warmup_runs(device: Conversation) -> None:
    assert device.ask("infer")[0] == "m-warmup-start-10"
    assert device.ask("ts-output 1")[0] == "ts-output-[0b000000]"


def test_outputs_come_back_byte_for_byte(device: Conversation) -> None:
    _load(device, 0, A)
    _load(device, 1, B)
    assert [line[:9] for line in device.ask("ts-infer 3 2")] == ["ts-starte", *["ts-ticks-"] * 3]
    assert device.ask("ts-output 0") == [f"ts-output-[{SUM.hex()}]", "ts-output-done"]
    assert device.ask("ts-output") == device.ask("ts-output 0")
    assert device.ask("ts-output 1") == ["ts-output-[05000000]", "ts-output-done"]


def test_ticks_are_numbers_and_the_profile_has_every_layer(device: Conversation) -> None:
    for line in device.ask("ts-infer 5 0")[1:]:
        int(line.removeprefix("ts-ticks-[").removesuffix("]"))
    fields = [
        line.removeprefix("ts-layer-[").removesuffix("]").split(",") for line in device.ask("ts-profile")[1:]
    ]
    assert [(index, name) for index, name, _ in fields] == [("0", "sum"), ("1", "count")]
    assert all(int(ticks) >= 0 for *_, ticks in fields)


def test_reset_sets_the_state_back_and_forgets_the_result(device: Conversation) -> None:
    device.ask("ts-infer 4 0")
    assert device.ask("ts-reset") == []
    assert device.ask("results") == ["e-[no inference yet]"]
    device.ask("ts-infer 1 0")
    assert device.ask("ts-output 1")[0] == "ts-output-[01000000]"


def test_info_describes_the_firmware(device: Conversation) -> None:
    lines = [line.removeprefix("ts-info-[").removesuffix("]") for line in device.ask("ts-info")]
    info = dict(line.split("=", 1) for line in lines)
    assert info["protocol"] == "1"
    assert info["model_sha256"] == SHA256
    assert (info["engine"], info["board"], info["core"]) == ("aot", "host", "host")
    assert (info["inputs"], info["input_0_bytes"], info["input_1_bytes"]) == ("2", "8", "4")
    assert (info["outputs"], info["output_0_bytes"], info["output_1_bytes"]) == ("2", "4", "4")
    assert (info["tick_unit"], info["tick_hz"]) == ("ns", "1000000000")
    assert (info["arena_bytes"], info["layers"]) == ("32", "2")
    assert int(info["line_bytes"]) >= 1024


def test_memory_has_the_arena_and_on_a_computer_no_stack(device: Conversation) -> None:
    assert device.ask("ts-memory") == ["ts-memory-[arena=32]"]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("", "unknown command, try help%: "),
        ("nonsense", "unknown command, try help%: nonsense"),
        ("NAME", "unknown command, try help%: NAME"),
        ("x]y\x01\x7f", "unknown command, try help%: x?y??"),
        (b"\x00\xff", "unknown command, try help%: ??"),
        ("n" * 50, "unknown command, try help%: " + "n" * 32),
        ("db load", "db load needs a number of bytes: "),
        ("db load eight", "db load needs a number of bytes: eight"),
        ("db load -8", "db load needs a number of bytes: -8"),
        ("db load 99999999999", "db load needs a number of bytes: 99999999999"),
        ("db load 9", "db load: the input's size in bytes is: 8"),
        ("db zz", "db: not hexadecimal: zz"),
        ("db 01 02", "db: one word of hexadecimal digits"),
        ("db 012", "db: odd number of hexadecimal digits"),
        ("db 01", "db: more bytes than expected, room is left for: 0"),
        ("infer 0", "inferences must be 1 to 1000000: 0"),
        ("infer many", "inferences must be 1 to 1000000: many"),
        ("infer 1000001", "inferences must be 1 to 1000000: 1000001"),
        ("infer 1 x", "warm-up runs must be 0 to 1000000: x"),
        ("ts-infer 1 99999999999999999999", "warm-up runs must be 0 to 1000000: 99999999999999999999"),
        ("ts-select 2", "index out of range: 2"),
        ("ts-select x", "index out of range: x"),
        ("results", "no inference yet"),
        ("ts-output 0", "no inference yet"),
    ],
)
def test_what_is_wrong_is_named_and_the_device_goes_on(
    device: Conversation, command: str | bytes, error: str
) -> None:
    assert device.ask(command) == [f"e-[{error}]"]
    assert device.ask("name") == ["m-name-dut-[tinyserve]"]


def test_an_output_that_does_not_exist_is_an_error(device: Conversation) -> None:
    device.ask("infer 1 0")
    assert device.ask("ts-output 2") == ["e-[index out of range: 2]"]


def test_a_line_with_an_error_changes_nothing(device: Conversation) -> None:
    device.ask("db load 8")
    device.ask("db 0102")
    assert device.ask("db 03040506070809") == ["e-[db: more bytes than expected, room is left for: 6]"]
    assert device.ask("db 0304zz") == ["e-[db: not hexadecimal: 0304zz]"]
    assert device.ask("db load 7") == ["e-[db load: the input's size in bytes is: 8]"]
    assert device.ask("db print") == ["m-buffer-01-02"]
    assert device.ask("db 030405060708") == ["m-load-done"]


def test_an_incomplete_input_is_not_inferred(device: Conversation) -> None:
    device.ask("db load 8")
    device.ask("db 0102")
    for command in ("infer 1 0", "ts-infer 1 0", "ts-profile"):
        assert device.ask(command) == ["e-[input incomplete: 0]"]


def test_the_longest_command_is_taken_and_a_longer_one_refused(device: Conversation) -> None:
    limit = 1100
    assert device.ask("name" + " " * (limit - 4)) == ["m-name-dut-[tinyserve]"]
    too_long = [f"e-[command too long, the limit in characters is: {limit}]"]
    assert device.ask("name" + " " * (limit - 3)) == too_long
    assert device.ask("x" * 100_000) == too_long
    assert device.ask("name") == ["m-name-dut-[tinyserve]"]


def test_white_space_around_commands_and_line_ends_between_them_do_not_matter(device: Conversation) -> None:
    assert device.ask("\r\n  name \t\r\n") == ["m-name-dut-[tinyserve]"]
    device.write(b"\r\n\r\nname%\r\nprofile%\r\n")
    assert device.read_answer() == ["m-name-dut-[tinyserve]"]
    assert device.read_answer()[1] == "m-model-[tiny01]"


def test_random_bytes_get_answers_never_a_crash(device: Conversation) -> None:
    generator = random.Random(20)
    for _ in range(300):
        noise = bytes(generator.choice(b"db load 12345infer%ts-\x00\xff\r\n") for _ in range(40)).replace(
            b"%", b""
        )
        device.ask(noise)
    assert device.ask("name") == ["m-name-dut-[tinyserve]"]


def test_the_host_program_ends_when_its_input_does(device: Conversation) -> None:
    assert device.process.stdin is not None
    device.process.stdin.close()
    assert device.process.wait(timeout=10) == 0
    device.process.stdin = None
