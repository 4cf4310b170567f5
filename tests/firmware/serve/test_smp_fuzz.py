# SPDX-License-Identifier: Apache-2.0
"""SMP under ASan and UBSan: frames lost, doubled, cut, corrupted and reordered, and CBOR by strangers."""

from __future__ import annotations

import hashlib
import random
import struct
import subprocess
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.firmware.slots.twin import KEY
from tests.support.places import CHECKOUT, KERNELS
from tinyserve.devices.smp import frames
from tinyserve.devices.smp.commands import LINE_LABEL
from tinyserve.slots.image import Facts, Golden, core_id, key_bytes, sign

LINE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(9, 41)))
TEMPLATES = CHECKOUT / "firmware_templates"
SECTOR, SLOT_SECTORS, JOURNAL = 4096, 6, 0x10000
SLOTS = (JOURNAL + 2 * SECTOR, JOURNAL + (2 + SLOT_SECTORS) * SECTOR)
CONFIG = {
    "CONFIG_SLOT_0": SLOTS[0], "CONFIG_SLOT_1": SLOTS[1], "CONFIG_SLOT_BYTES": SLOT_SECTORS * SECTOR,
    "CONFIG_JOURNAL_0": JOURNAL, "CONFIG_JOURNAL_1": JOURNAL + SECTOR, "CONFIG_SECTOR_BYTES": SECTOR,
    "CONFIG_CORE_ID": core_id("cortex-m4"), "CONFIG_MODEL_MEMORY_BYTES": 4096, "CONFIG_HEALTH": 1,
    "CONFIG_TICK_HZ": 0, "CONFIG_BAUD": 115200, "CONFIG_MOST_BAUD": 1_000_000, "CONFIG_SECURE": 0,
    "CONFIG_SESSION_TICKS": 0xFFFFFFFF,
}  # fmt: skip
WORDS = dict.fromkeys(("BOARD", "CORE", "VERSION", "FIRMWARE_ID", "TICK_UNIT"), "bench")
SOURCES = (
    "slots/ed25519.c", "slots/image.c", "slots/sha2.c", "slots/slots.c", "serve/cbor.c", "serve/health.c",
    "serve/line_rate.c", "serve/secure.c", "serve/smp.c", "serve/smp_frame.c", "serve/smp_image.c",
    "serve/smp_line.c", "serve/smp_model.c",
)  # fmt: skip


def build(directory: Path, **changes: int) -> Path:
    """The bench program, with other settings where they are given."""
    key = ",".join(map(str, key_bytes(KEY.public_key())))
    line_key = ",".join(map(str, key_bytes(LINE_KEY.public_key())))
    lines = [f"#define {name} {value}u" for name, value in (CONFIG | changes).items()]
    lines += [f'#define CONFIG_{name} "{value}"' for name, value in WORDS.items()]
    lines += [f"#define CONFIG_KEY {{{key}}}", f"#define CONFIG_LINE_KEY {{{line_key}}}"]
    (directory / "config.h").write_text("\n".join([*lines, ""]))
    files = [str(TEMPLATES / name) for name in SOURCES]
    files.append(str(Path(__file__).with_name("smp_bench.c")))
    includes = [f"-I{directory}", *(f"-I{TEMPLATES / name}" for name in ("serve", "slots", "common"))]
    includes.append(f"-I{KERNELS / 'common'}")
    flags = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = directory / "bench"
    subprocess.run(["gcc", *flags, *includes, *files, "-o", str(program)], check=True, timeout=120)
    return program


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("smp"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("secure"), CONFIG_SECURE=1, CONFIG_SESSION_TICKS=50_000)


def run(program: Path, data: bytes) -> list[dict[str, object]]:
    """What the device answers to all that comes over the line."""
    done = subprocess.run([str(program)], input=data, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    assembler = frames.Assembler()
    packets = [assembler.feed(line) for line in done.stdout.split(b"\n")]
    return [cbor2.loads(packet[8:]) for packet in packets if packet]


def request(group: int, command: int, body: bytes | dict[str, object], write: bool = True) -> bytes:
    data = body if isinstance(body, bytes) else cbor2.dumps(body)
    return frames.encode(struct.pack(">BBHHBB", 2 * write | 8, 0, len(data), group, 7, command) + data)


def image(size: int = 3000) -> bytes:
    facts = Facts(bytes(32), 1, "cortex-m4", SLOTS[0], 100, 1, Golden(0, 4, 4))
    return sign(random.Random(3).randbytes(size), facts, KEY)


def upload(data: bytes, chunk: int = 400) -> list[bytes]:
    first = {"len": len(data), "sha": hashlib.sha256(data).digest(), "image": 0}
    pieces = range(0, len(data), chunk)
    return [
        request(1, 1, {"off": at, "data": data[at : at + chunk], **(first if at == 0 else {})})
        for at in pieces
    ]


def requests() -> list[bytes]:
    """One of each kind."""
    return [
        request(0, 0, {"d": "text"}), request(0, 6, {}, False), request(0, 7, {"format": "snv"}, False),
        request(1, 0, {}, False), request(1, 0, {"hash": bytes(32), "confirm": True}), request(1, 5, {}),
        request(2, 0, {"name": "health"}, False), request(2, 1, {}, False), request(64, 0, {}, False),
        request(64, 1, {"index": 0, "off": 0, "data": bytes(64)}), request(64, 2, {"runs": 3}),
        request(64, 3, {"index": 0, "off": 8}, False), request(64, 4, {"layer": 0}),
        request(64, 5, {}, False), request(64, 6, {}, False), request(64, 7, {}), request(0, 5, {}),
        request(64, 8, {}, False), request(64, 9, {"signature": bytes(64)}), request(64, 10, {}),
        request(64, 11, {}, False), request(64, 11, {"baud": 460_800}), request(64, 11, {"baud": 2**31}),
        *upload(image()),
    ]  # fmt: skip


def test_every_request_is_answered_once(bench: Path) -> None:
    assert len(run(bench, b"".join(requests()))) == len(requests())


@pytest.mark.parametrize("seed", range(6))
def test_no_stream_does_harm(bench: Path, seed: int) -> None:
    """Bytes changed, inserted and left out, lines in any order."""
    draw = random.Random(seed)
    lines = [line + b"\n" for whole in requests() * 30 for line in whole.splitlines()]
    stream = bytearray()
    for _ in range(3000):
        line = bytearray(draw.choice(lines))
        for _ in range(draw.choice((0, 0, 0, 1, 1, 4))):
            at = draw.randrange(len(line))
            kind = draw.randrange(3)
            if kind == 0:
                line[at] = draw.randrange(256)
            elif kind == 1:
                del line[at:]
                line += b"\n"
            else:
                line[at:at] = draw.randbytes(draw.randrange(1, 200))
        stream += line
    run(bench, bytes(stream))


@pytest.mark.parametrize("seed", range(4))
def test_no_cbor_does_harm(bench: Path, seed: int) -> None:
    """Packets whose check holds, with bodies by strangers."""
    draw = random.Random(100 + seed)
    stream = b""
    bodies = [
        cbor2.dumps({"off": 0, "data": b"abcd", "len": 100, "sha": bytes(32), "name": "health", "d": "x"})
    ]
    for _ in range(1500):
        body = bytearray(draw.choice(bodies)) if draw.random() < 0.7 else bytearray(draw.randbytes(60))
        for _ in range(draw.randrange(4)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        group = draw.choice((0, 1, 2, 64, draw.randrange(65536)))
        stream += request(
            group, draw.randrange(13), bytes(body[: draw.randrange(len(body) + 1)]), draw.random() < 0.7
        )
    run(bench, stream)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_where_frames_are_lost_doubled_and_reordered(bench: Path, seed: int) -> None:
    """Whatever became of the first tries, the upload that is sent again to its end is whole."""
    draw = random.Random(seed)
    data = image()
    frames_ = upload(data)
    first = [frame for frame in frames_ if draw.random() < 0.7]
    first += draw.sample(first, len(first) // 2)
    draw.shuffle(first)
    digest = hashlib.sha256(data[: 32 + 3000 + struct.unpack_from("<H", data, 10)[0]]).digest()
    answers = run(bench, b"".join([*first, *frames_, request(1, 0, {"hash": digest, "confirm": True})]))
    assert answers[-2]["off"] == len(data) and answers[-2]["match"] is True
    images = answers[-1]["images"]
    assert isinstance(images, list) and images[0]["confirmed"] is True


ACCESS_DENIED = 11
PUBLIC = [
    request(0, 0, {"d": "text"}), request(0, 6, {}, False), request(0, 7, {"format": "snv"}, False),
    request(1, 0, {}, False), request(64, 0, {}, False), request(64, 6, {}, False),
    request(64, 8, {}, False), request(64, 11, {}, False),
]  # fmt: skip


def denied(answer: dict[str, object]) -> bool:
    return answer == {"rc": ACCESS_DENIED}


def test_a_stranger_learns_what_the_device_is_and_nothing_else(secure: Path) -> None:
    assert not any(map(denied, run(secure, b"".join(PUBLIC))))
    private = [one for one in requests() if one not in PUBLIC and one != request(64, 10, {})]
    answers = run(secure, b"".join(private))
    assert len(answers) == len(private)
    assert all(map(denied, answers))


def test_every_other_command_number_is_denied(secure: Path) -> None:
    """What a later version adds is closed until it is named public."""
    asked = [
        request(group, command, {}, write)
        for group in (0, 1, 2, 3, 9, 63, 64, 65, 0xFFFF)
        for command in range(12, 256)
        for write in (False, True)
        if group != 0
    ]
    assert all(map(denied, run(secure, b"".join(asked))))


def drawn(number: int) -> bytes:
    """What the bench draws the ``number``-th time."""
    return bytes((number + place) & 0xFF for place in range(32))


def signed(number: int, key: Ed25519PrivateKey = LINE_KEY) -> bytes:
    return request(64, 9, {"signature": key.sign(LINE_LABEL + drawn(number))})


class Line:
    """What a device with a line key should do, step by step."""

    def __init__(self) -> None:
        self.draws = 0
        self.is_out = self.is_open = False
        self.stream: list[bytes] = []
        self.expected: list[bool] = []

    def ask(self, data: bytes, allowed: bool) -> None:
        self.stream.append(data)
        self.expected.append(allowed)

    def step(self, name: str) -> None:
        if name == "challenge":
            self.draws += 1
            self.is_out = True
            self.ask(request(64, 8, {}, False), True)
        elif name == "unlock":
            self.answer(signed(self.draws), self.is_out)
        elif name == "replay":
            self.answer(signed(self.draws - 1), False)
        elif name == "stranger":
            self.answer(signed(self.draws, STRANGER), False)
        elif name == "without the label":
            self.answer(request(64, 9, {"signature": LINE_KEY.sign(drawn(self.draws))}), False)
        elif name == "lock":
            self.is_open = False
            self.ask(request(64, 10, {}), True)
        elif name == "reset":
            self.ask(request(0, 5, {}), self.is_open)
            if self.is_open:
                self.is_open = self.is_out = False
        else:
            self.ask(USES[name], self.is_open)

    def answer(self, data: bytes, is_right: bool) -> None:
        self.ask(data, is_right)
        self.is_out = False
        self.is_open = self.is_open or is_right


USES = {
    "load": request(64, 1, {"index": 0, "off": 0, "data": bytes(64)}),
    "infer": request(64, 2, {"runs": 1}),
    "health": request(64, 5, {}, False),
    "revert": request(64, 7, {}),
    "erase": request(1, 5, {}),
    "confirm": request(1, 0, {"confirm": True}),
    "upload": upload(image())[0],
    "baud": request(64, 11, {"baud": 230_400}),
}
STEPS = ["challenge", "unlock", "replay", "stranger", "without the label", "lock", "reset", *USES]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*STEPS, "challenge", "unlock", "unlock"]), max_size=30))
def test_the_line_is_open_for_who_has_signed_the_last_number_alone(secure: Path, steps: list[str]) -> None:
    line = Line()
    for step in steps:
        line.step(step)
    answers = run(secure, b"".join(line.stream))
    assert [not denied(answer) for answer in answers] == line.expected


def test_a_line_that_is_not_used_closes_by_itself(secure: Path) -> None:
    """The bench's clock goes on by 1,000 with each look at it, and a session lasts 50,000."""
    line = Line()
    for step in ("challenge", "unlock", "load", *["infer"] * 30):
        line.step(step)
    long = request(64, 2, {"runs": 32})  # looks at the clock 64 times
    answers = run(secure, b"".join([*line.stream, long, USES["health"]]))
    assert not any(map(denied, answers[:-1])), "30 inferences are more ticks, but a line in use"
    assert denied(answers[-1])


@pytest.mark.parametrize("seed", range(3))
def test_no_stream_opens_the_line(secure: Path, seed: int) -> None:
    """Frames of a session that somebody has recorded, changed and in any order."""
    draw = random.Random(seed)
    recorded = [*requests(), *(signed(number) for number in range(200, 220)), signed(1, STRANGER)]
    stream = b""
    for _ in range(800):
        frame = bytearray(draw.choice(recorded))
        if draw.random() < 0.3:
            frame[draw.randrange(len(frame))] ^= 1 << draw.randrange(8)
        stream += frame
    answers = run(secure, stream + USES["infer"])
    assert denied(answers[-1])
