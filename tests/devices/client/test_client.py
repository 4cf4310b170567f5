# SPDX-License-Identifier: Apache-2.0
"""The client drives the real firmware: on every emulator, and the answers are the model's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.devices.client.conftest import BuildTiny
from tests.firmware.tiny_model import SHA256
from tinyserve.devices import open_device
from tinyserve.devices.client import Client, MemoryUse
from tinyserve.devices.client.exchange import Garbage, Refused
from tinyserve.devices.link import Link, LinkClosed
from tinyserve.errors import DeviceError, UsageError

A = bytes([1, 2, 3, 4, 5, 6, 7, 0x80])
B = bytes([10, 20, 30, 40])
SUM = bytes([1 + 5 + 10 + 0, 2 + 6 + 20 + 1, 3 + 7 + 30 + 2, (4 - 128 + 40 + 3) & 0xFF])

DEVICES = [
    ("cortex-m0", "unicorn"),
    ("cortex-m4", "unicorn"),
    ("nano33", "unicorn"),
    ("rv32imc", "unicorn"),
    ("mps2-an385", "qemu"),
    ("mps3-an547", "qemu"),
    ("rv32imc", "qemu"),
    ("host", "host"),
]


@pytest.fixture(params=DEVICES, ids="-".join)
def client(request: pytest.FixtureRequest, build_tiny: BuildTiny) -> Iterator[Client]:
    name, emulator = request.param
    if emulator == "qemu" and not shutil.which(
        "qemu-system-riscv32" if name == "rv32imc" else "qemu-system-arm"
    ):
        pytest.skip("QEMU is not installed")
    firmware, board = build_tiny(name)
    with open_device(firmware, board, emulator) as device:
        yield Client(device.link)


@pytest.fixture
def emulated(build_tiny: BuildTiny) -> Iterator[Client]:
    firmware, board = build_tiny("cortex-m4")
    with open_device(firmware, board) as device:
        yield Client(device.link)


def run(client: Client) -> list[bytes]:
    client.load(A, 0)
    client.load(B, 1)
    client.infer(1)
    return client.outputs()


def test_a_device_says_what_it_runs(client: Client) -> None:
    info = client.identify()
    assert (info.protocol, info.engine, info.model_sha256) == (1, "aot", SHA256)
    assert (info.input_bytes, info.output_bytes, info.layers) == ((8, 4), (4, 4), 2)
    assert client.identify() is info
    client.expect_model(SHA256.upper())


def test_outputs_are_the_model_s(client: Client) -> None:
    assert run(client) == [SUM, bytes([1, 0, 0, 0])]
    client.infer(3, warmup=2)
    assert client.outputs() == [SUM, bytes([6, 0, 0, 0])]


def test_reset_starts_state_anew(client: Client) -> None:
    run(client)
    client.reset()
    assert run(client)[1] == bytes([1, 0, 0, 0])


def test_every_run_gives_its_ticks(client: Client) -> None:
    client.load(A, 0)
    client.load(B, 1)
    ticks = client.infer(4, 1)
    assert len(ticks) == 4
    if client.identify().tick_unit == "instructions":
        assert len(set(ticks)) == 1
        assert 20 < ticks[0] < 200


def test_layers_have_names_and_ticks(client: Client) -> None:
    client.load(A, 0)
    client.load(B, 1)
    layers = client.profile()
    assert [(layer.index, layer.name) for layer in layers] == [(0, "sum"), (1, "count")]
    if client.identify().tick_unit == "instructions":
        assert layers[0].ticks > layers[1].ticks > 0


def test_memory_says_what_was_used(client: Client) -> None:
    run(client)
    memory = client.memory()
    assert memory.arena == 32
    if client.identify().core == "host":
        assert memory == MemoryUse(32, None, None)
    else:
        assert memory.stack_used is not None
        assert memory.stack_size is not None
        assert 0 < memory.stack_used < memory.stack_size


def test_mlperf_tiny_s_commands_work(client: Client) -> None:
    assert client.name().partition(",")[0] == "tinyserve"
    assert client.mlperf_profile() == ("ULPMark for tinyML Firmware V0.0.1", "tiny")
    run(client)
    # output 0: scale 1/256, zero point -128
    expected = [round((value - 256 * (value > 127) + 128) / 256, 3) for value in SUM]
    assert client.results() == pytest.approx(expected, abs=0.0011)
    timed = client.mlperf_infer(2, 1)
    assert timed.results == client.results()
    assert timed.elapsed_us >= 0


def test_what_does_not_fit_the_model_is_refused_before_it_is_sent(emulated: Client) -> None:
    with pytest.raises(UsageError, match="input 0 has 8 bytes, 3 were given"):
        emulated.load(b"abc")
    with pytest.raises(UsageError, match="2 inputs, there is no input 2"):
        emulated.load(b"abc", 2)


def test_another_model_s_firmware_is_recognised(emulated: Client) -> None:
    with pytest.raises(
        DeviceError, match=r"the firmware of another model.*5f5f5f5f5f5f.*abababababab"
    ) as caught:
        emulated.expect_model("ab" * 32)
    assert caught.match("tinyserve flash")


def test_a_refusal_says_what_the_device_said_and_the_next_command_works(emulated: Client) -> None:
    with pytest.raises(Refused, match='refused "ts-output 0": no inference yet'):
        emulated.outputs()
    assert run(emulated)[0] == SUM


class ScriptedLink(Link):
    """Answers each command with the lines that a test wrote down for it."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__("scripted")
        self._answers = answers
        self._bytes = b"m-init-done\r\nm-ready\r\n"

    def _send(self, data: bytes) -> None:
        lines = self._answers.get(data.decode().removesuffix("%"), "m-ready")
        self._bytes += "".join(line + "\r\n" for line in lines.split("|")).encode()

    def _receive(self, timeout_s: float) -> bytes:
        if not self._bytes:
            raise LinkClosed(self.describe("the script is over"))
        data, self._bytes = self._bytes, b""
        return data


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ets Jun  8 2016", r"restarted in the middle of \"ts-info\" \('ets Jun  8 2016'\)"),
        ("temperature 21.5", "not the protocol: 'temperature 21.5'"),
    ],
)
def test_garbage_names_what_came(line: str, said: str) -> None:
    client = Client(ScriptedLink({"ts-info": f"{line}|m-ready"}))
    with pytest.raises(Garbage, match=said):
        client.identify()


def test_a_fault_s_address_is_reported_at_once() -> None:
    client = Client(ScriptedLink({"ts-infer 1 0": "e-[fault pc=0x00001234 lr=0x1]"}))
    with pytest.raises(DeviceError, match="faulted in 0x00001234"):
        client.infer(1)


def test_a_foreign_mlperf_firmware_is_told_so() -> None:
    client = Client(ScriptedLink({"ts-info": "e-[Unknown command: ts-info]|m-ready"}))
    with pytest.raises(DeviceError, match="MLPerf Tiny firmware, but not tinyserve's"):
        client.identify()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("ts-info", "ts-info-[protocol=1]|m-ready"),
        ("ts-info", "ts-info-[protocol=one]|ts-info-[inputs=x]|m-ready"),
        ("ts-memory", "ts-memory-[arena=many]|m-ready"),
        ("ts-profile", "ts-layer-[1,conv,5]|m-ready"),
        ("ts-infer 1 0", "ts-ticks-[fast]|m-ready"),
        ("ts-infer 1 0", "m-ready"),
        ("results", "m-results-[a,b]|m-ready"),
        ("results", "m-ready"),
        ("name", "m-ready"),
        ("infer 1 0", "m-lap-us-1|m-results-[1.0]|m-ready"),
    ],
)
def test_malformed_answers_are_device_errors(command: str, answer: str) -> None:
    client = Client(ScriptedLink({command: answer}))
    calls = {
        "ts-info": client.identify,
        "ts-memory": client.memory,
        "ts-profile": client.profile,
        "ts-infer 1 0": lambda: client.infer(1),
        "results": client.results,
        "name": client.name,
        "infer 1 0": lambda: client.mlperf_infer(1),
    }
    with pytest.raises(DeviceError):
        calls[command]()


def test_layer_names_may_hold_commas() -> None:
    client = Client(ScriptedLink({"ts-profile": "ts-layer-[0,a,b/conv,17]|m-ready"}))
    layer = client.profile()[0]
    assert (layer.name, layer.ticks) == ("a,b/conv", 17)
