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

from tests.firmware.slots.twin import KEY
from tests.support.places import CHECKOUT, KERNELS
from tinyserve.devices.smp import frames
from tinyserve.slots.image import Facts, Golden, core_id, key_bytes, sign

TEMPLATES = CHECKOUT / "firmware_templates"
SECTOR, SLOT_SECTORS, JOURNAL = 4096, 6, 0x10000
SLOTS = (JOURNAL + 2 * SECTOR, JOURNAL + (2 + SLOT_SECTORS) * SECTOR)
CONFIG = {
    "CONFIG_SLOT_0": SLOTS[0], "CONFIG_SLOT_1": SLOTS[1], "CONFIG_SLOT_BYTES": SLOT_SECTORS * SECTOR,
    "CONFIG_JOURNAL_0": JOURNAL, "CONFIG_JOURNAL_1": JOURNAL + SECTOR, "CONFIG_SECTOR_BYTES": SECTOR,
    "CONFIG_CORE_ID": core_id("cortex-m4"), "CONFIG_MODEL_MEMORY_BYTES": 4096, "CONFIG_HEALTH": 1,
    "CONFIG_TICK_HZ": 0,
}  # fmt: skip
WORDS = dict.fromkeys(("BOARD", "CORE", "VERSION", "FIRMWARE_ID", "TICK_UNIT"), "bench")
SOURCES = (
    "slots/ed25519.c", "slots/image.c", "slots/sha2.c", "slots/slots.c", "serve/cbor.c", "serve/health.c",
    "serve/smp.c", "serve/smp_frame.c", "serve/smp_image.c", "serve/smp_model.c",
)  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("smp")
    key = ",".join(map(str, key_bytes(KEY.public_key())))
    lines = [f"#define {name} {value}u" for name, value in CONFIG.items()]
    lines += [f'#define CONFIG_{name} "{value}"' for name, value in WORDS.items()]
    (directory / "config.h").write_text("\n".join([*lines, f"#define CONFIG_KEY {{{key}}}", ""]))
    files = [str(TEMPLATES / name) for name in SOURCES]
    files.append(str(Path(__file__).with_name("smp_bench.c")))
    includes = [f"-I{directory}", *(f"-I{TEMPLATES / name}" for name in ("serve", "slots", "common"))]
    includes.append(f"-I{KERNELS / 'common'}")
    flags = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = directory / "bench"
    subprocess.run(["gcc", *flags, *includes, *files, "-o", str(program)], check=True, timeout=120)
    return program


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
            group, draw.randrange(9), bytes(body[: draw.randrange(len(body) + 1)]), draw.random() < 0.7
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
