# SPDX-License-Identifier: Apache-2.0
"""Images: what imgtool makes and takes, and what a hostile one can do to the parser, which is nothing."""

from __future__ import annotations

import ctypes
import mmap
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.firmware.slots.twin import ABI, ARENA_BYTES, CORE, KEY, Answer, Twin, image
from tinyserve.errors import ModelError
from tinyserve.slots.image import Facts, Golden, Version, core_id, key_bytes, sign
from tinyserve.slots.reasons import Reason

ADDRESS = 0x1000


def facts(**changes: object) -> Facts:
    known: dict[str, object] = {
        "model_sha256": bytes(32),
        "abi": ABI,
        "core": CORE,
        "slot_address": ADDRESS,
        "arena_bytes": 100,
        "counter": 1,
        "golden": Golden(10, 4, 2),
        "version": Version(1, 2, 3, 4),
    }
    return Facts(**(known | changes))  # type: ignore[arg-type]


class GuardedSlot:
    """Bytes that end where readable memory ends: one byte beyond them is a segmentation fault."""

    def __init__(self, most_bytes: int) -> None:
        self._page = mmap.PAGESIZE
        self._readable = -(-most_bytes // self._page) * self._page
        self._map = mmap.mmap(-1, self._readable + self._page)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        libc = ctypes.CDLL(None)
        assert libc.mprotect(ctypes.c_void_p(self._base + self._readable), self._page, 0) == 0

    def place(self, content: bytes) -> int:
        at = self._readable - len(content)
        self._map[at : self._readable] = content
        return self._base + at


@pytest.fixture(scope="module")
def guarded() -> GuardedSlot:
    return GuardedSlot(4096)


def check(library: ctypes.CDLL, guarded: GuardedSlot, content: bytes) -> Reason:
    rules = key_bytes(KEY.public_key()) + struct.pack("<IIII", ABI, core_id(CORE), ARENA_BYTES, 1)
    found = ctypes.create_string_buffer(256)
    at = ctypes.c_void_p(guarded.place(content))
    return Reason(library.ts_image_check(found, at, len(content), ADDRESS, rules))


def imgtool(*arguments: str) -> str:
    command = [sys.executable, "-m", "imgtool.main", *arguments]
    finished = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_imgtool_verifies_what_we_sign(tmp_path: Path, key_file: Path) -> None:
    made = tmp_path / "image.bin"
    made.write_bytes(sign(bytes(100), facts(), KEY))
    said = imgtool("verify", "--key", str(key_file), str(made))
    assert "Image was correctly validated" in said
    assert "1.2.3+4" in said


def test_the_device_takes_what_imgtool_signs(
    tmp_path: Path, key_file: Path, library: ctypes.CDLL, guarded: GuardedSlot
) -> None:
    body, made = tmp_path / "body.bin", tmp_path / "image.bin"
    body.write_bytes(bytes(32) + bytes(range(100)))
    numbers = {0x54A1: ABI, 0x54A2: core_id(CORE), 0x54A3: ADDRESS, 0x54A4: 100}
    custom = {0x54A0: bytes(32).hex(), 0x54A5: struct.pack("<III", 10, 4, 2).hex()}
    custom |= {kind: struct.pack("<I", number).hex() for kind, number in numbers.items()}
    tlvs = [part for kind, value in custom.items() for part in ("--custom-tlv", hex(kind), f"0x{value}")]
    layout = ["--header-size", "32", "--slot-size", "0x1000", "--align", "8", "--version", "1.0.0", "-S", "1"]
    options = ["--key", str(key_file), "--sha", "256", "--security-counter", "1", *layout[:-2], *tlvs]
    imgtool("sign", *options, str(body), str(made))
    assert check(library, guarded, made.read_bytes()) is Reason.NONE


def test_an_image_is_sound_and_every_flipped_bit_of_it_is_not(
    library: ctypes.CDLL, guarded: GuardedSlot
) -> None:
    made = sign(bytes(range(100)), facts(), KEY)
    assert check(library, guarded, made) is Reason.NONE
    for index in range(len(made)):
        bent = bytearray(made)
        bent[index] ^= 1 << index % 8
        assert check(library, guarded, bytes(bent)) is not Reason.NONE, index


def test_a_cut_off_image_is_refused_at_every_length(library: ctypes.CDLL, guarded: GuardedSlot) -> None:
    made = sign(bytes(range(100)), facts(), KEY)
    for length in range(len(made)):
        assert check(library, guarded, made[:length]) is not Reason.NONE, length


def test_random_sizes_in_header_and_tlvs_lead_nowhere(library: ctypes.CDLL, guarded: GuardedSlot) -> None:
    """Fields that steer the parser, with values near every border; a read beyond the slot is a fault."""
    made = sign(bytes(range(100)), facts(), KEY)
    dice = random.Random(5)
    borders = [0, 1, 3, 4, 5, 31, 32, 33, 0x7FFF, 0x8000, 0xFFFF, len(made), len(made) - 1]
    protected = 32 + 100
    places = [8, 10, 12, 14, protected, protected + 2, *range(protected + 4, len(made) - 2, 2)]
    for _ in range(5_000):
        bent = bytearray(made)
        for _ in range(dice.randint(1, 3)):
            struct.pack_into("<H", bent, dice.choice(places), dice.choice(borders))
        check(library, guarded, bytes(bent))
    for _ in range(1_000):
        noise = struct.pack("<I", 0x96F3B83D) + dice.randbytes(dice.randint(0, 300))
        assert check(library, guarded, noise) is not Reason.NONE


def signed_with(tlvs: list[tuple[int, bytes]]) -> bytes:
    """Rightly signed, with TLVs that a maker of images would not write."""
    from tinyserve.slots import image as maker

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maker, "_protected", lambda _facts: tlvs)
        return sign(bytes(100), facts(), KEY)


def good_tlvs() -> list[tuple[int, bytes]]:
    from tinyserve.slots import image as maker

    return maker._protected(facts())


@pytest.mark.parametrize("number", range(7))
def test_a_tlv_that_is_missing_doubled_or_of_another_length_is_refused(
    library: ctypes.CDLL, guarded: GuardedSlot, number: int
) -> None:
    tlvs = good_tlvs()
    kind, value = tlvs[number]
    missing = tlvs[:number] + tlvs[number + 1 :]
    for bad in (
        missing,
        [*tlvs, tlvs[number]],
        [*missing, (kind, value + b"\0")],
        [*missing, (kind, value[:-1])],
    ):
        assert check(library, guarded, signed_with(bad)) is Reason.BAD_TLVS


@pytest.mark.parametrize(
    "golden", [(101, 1, 1), (0, 101, 1), (0, 50, 51), (0xFFFFFFFF, 2, 1), (0, 0, 1), (0, 1, 0)]
)
def test_a_golden_vector_out_of_the_body_is_refused(
    library: ctypes.CDLL, guarded: GuardedSlot, golden: tuple[int, int, int]
) -> None:
    tlvs = [tlv for tlv in good_tlvs() if tlv[0] != 0x54A5]
    made = signed_with([*tlvs, (0x54A5, struct.pack("<III", *golden))])
    assert check(library, guarded, made) is Reason.BAD_TLVS


def test_the_maker_refuses_a_golden_vector_out_of_the_body() -> None:
    with pytest.raises(ModelError, match="golden vector"):
        sign(bytes(100), facts(golden=Golden(90, 10, 1)), KEY)


def test_what_lies_behind_an_image_is_no_part_of_it(twin_library: ctypes.CDLL) -> None:
    twin = Twin(twin_library)
    assert twin.upload(image(twin, 0) + b"\xff" * 100) is Answer.DONE
