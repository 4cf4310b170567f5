# SPDX-License-Identifier: Apache-2.0
"""A device with two slots, whose flash loses power when it is told to: ``flash_twin.c`` for Python."""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass, field
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tinyserve.devices.smp.commands import Phase
from tinyserve.slots.image import Facts, Golden, core_id, key_bytes, sign
from tinyserve.slots.reasons import Reason

CORE, ABI, ARENA_BYTES = "cortex-m4", 1, 4096
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
POWER_CUT, RESET_IN_PROOF = 100, 200


class Answer(IntEnum):
    DONE = 0
    FLASH = 1
    ORDER = 2
    OFFSET = 3
    SIZE = 4
    REFUSED = 5


class PowerCut(Exception):
    """The device went off in the middle of a call."""


@dataclass
class Twin:
    """Calls as the firmware makes them. A cut raises ``PowerCut``; ``start`` switches on again."""

    library: ctypes.CDLL
    unit: int = 8
    key: Ed25519PublicKey = field(default_factory=KEY.public_key)

    def __post_init__(self) -> None:
        self.library.twin_new(key_bytes(self.key), core_id(CORE), self.unit)
        self.start()

    def _call(self, name: str, *arguments: object) -> Answer:
        status = getattr(self.library, f"twin_{name}")(*arguments)
        if status in (POWER_CUT, RESET_IN_PROOF):
            raise PowerCut(status)
        return Answer(status)

    def start(self, reason: Reason = Reason.RESET, detail: int = 0) -> Answer:
        return self._call("start", int(reason), detail)

    def upload(self, image: bytes, chunk: int = 512) -> Answer:
        """From where an upload of the same bytes was interrupted, to the verdict."""
        answer = self._call("begin", len(image), hashlib.sha256(image).digest())
        while answer is Answer.DONE and self.received < len(image):
            at = self.received
            piece = image[at : at + chunk]
            answer = self._call("receive", at, piece, len(piece))
        return self._call("take") if answer is Answer.DONE else answer

    def begin(self, image: bytes) -> Answer:
        return self._call("begin", len(image), hashlib.sha256(image).digest())

    def receive(self, offset: int, piece: bytes) -> Answer:
        return self._call("receive", offset, piece, len(piece))

    def take(self) -> Answer:
        return self._call("take")

    def confirm(self) -> Answer:
        return self._call("confirm")

    def revert(self, reason: Reason, detail: int = 0) -> Answer:
        return self._call("revert", int(reason), detail)

    def cut(self, operation: int, how: int = 0, seed: int = 0) -> None:
        """Cuts the power before (0), inside (1) or after (2) an erase or write, counted from now on."""
        self.library.twin_cut(operation, how, seed)

    def fail_from_now_on(self, fails: bool = True, erases_alone: bool = False) -> None:
        """Lets every erase fail, and every program."""
        self.library.twin_fail(fails, fails and not erases_alone)

    def model_gives(self, result: int = 0xFFFFFFFF, resets: int = 0) -> None:
        self.library.twin_model(result, resets)

    def save(self) -> bytes:
        to = ctypes.create_string_buffer(self.library.twin_flash_bytes())
        self.library.twin_save(to)
        return to.raw

    def restore(self, flash: bytes) -> None:
        self.library.twin_restore(flash)

    def slot(self, number: int, count: int) -> bytes:
        to = ctypes.create_string_buffer(count)
        self.library.twin_read(self.slot_address(number), to, count)
        return to.raw

    def slot_address(self, number: int) -> int:
        return int(self.library.twin_slot_address(number))

    def flip(self, number: int, offset: int, bits: int) -> None:
        self.library.twin_flip(self.slot_address(number) + offset, bits)

    def phase(self, number: int) -> Phase:
        return Phase(self.library.twin_phase(number))

    def reason(self, number: int) -> Reason:
        return Reason(self.library.twin_reason(number))

    def detail(self, number: int) -> int:
        return int(self.library.twin_detail(number)) & 0xFFFFFFFF

    def serves(self, number: int) -> bool:
        return bool(self.library.twin_image_ok(number))

    @property
    def active(self) -> int:
        return int(self.library.twin_active())

    @property
    def received(self) -> int:
        return int(self.library.twin_received())

    @property
    def counter(self) -> int:
        return int(self.library.twin_counter())

    @property
    def operations(self) -> int:
        return int(self.library.twin_operations())

    @property
    def violations(self) -> int:
        return int(self.library.twin_violations())

    @property
    def proofs(self) -> int:
        return int(self.library.twin_proofs())


def image(twin: Twin, slot: int, **changes: object) -> bytes:
    """A signed image for a slot: ``counter``, ``size``, ``key`` and all of ``Facts`` may be chosen."""
    size = int(str(changes.pop("size", 1500)))
    key = changes.pop("key", KEY)
    assert isinstance(key, Ed25519PrivateKey)
    facts = {
        "model_sha256": hashlib.sha256(b"model").digest(),
        "abi": ABI,
        "core": CORE,
        "slot_address": twin.slot_address(slot),
        "arena_bytes": 1000,
        "counter": 1,
        "golden": Golden(size - 30, 20, 10),
    } | changes
    body = hashlib.shake_128(f"{facts['counter']} {size}".encode()).digest(size)
    return sign(body, Facts(**facts), key)  # type: ignore[arg-type]
