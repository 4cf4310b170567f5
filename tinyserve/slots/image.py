# SPDX-License-Identifier: Apache-2.0
"""Makes signed model images in MCUboot's format (docs of MCUboot, "Image format"), as imgtool would.

The signature is Ed25519 over the SHA-256 of header, body and protected TLVs. The device's side,
``firmware_templates/slots/image.h``, says what each TLV of ours means.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tinyserve.errors import ModelError

HEADER_BYTES = 32
MAGIC = 0x96F3B83D
_INFO, _PROTECTED_INFO = 0x6907, 0x6908
_KEY_HASH, SHA256, _ED25519, COUNTER = 0x01, 0x10, 0x24, 0x50
MODEL, ABI, CORE, SLOT, ARENA, _GOLDEN, _NEXT_KEY = range(0x54A0, 0x54A7)


@dataclass(frozen=True)
class Version:
    """An image's version as MCUboot writes it: ``major.minor.revision+build``."""

    major: int = 0
    minor: int = 0
    revision: int = 0
    build: int = 0


@dataclass(frozen=True)
class Golden:
    """The golden vector: an input and the output bytes it must give, side by side in the body.

    Args:
        offset: bytes from the body's start to the input, which the output follows.
    """

    offset: int
    input_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class Facts:
    """What an image says of itself in its protected TLVs, for the device to check before it runs anything.

    Args:
        model_sha256: of model.tflite, 32 bytes.
        abi: version of the entry table.
        core: name of the core that the body is compiled for, such as ``cortex-m4``.
        slot_address: where the image's header lies in flash; the body is linked to follow it.
        arena_bytes: RAM that the model needs.
        counter: security counter; a device refuses images below the one it last confirmed.
    """

    model_sha256: bytes
    abi: int
    core: str
    slot_address: int
    arena_bytes: int
    counter: int
    golden: Golden
    version: Version = Version()
    next_key: Ed25519PublicKey | None = None


def core_id(core: str) -> int:
    """The number that stands for a core's name in images and firmware: CRC-32 of its bytes."""
    return zlib.crc32(core.encode())


def key_bytes(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes that a device keeps of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_hash(key: Ed25519PublicKey) -> bytes:
    """How images name the key they are signed with: SHA-256 of its SubjectPublicKeyInfo (RFC 8410)."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def key_hash_of(raw: bytes) -> bytes:
    """``key_hash`` of a key's 32 bytes. Raises ModelError where they are none."""
    try:
        return key_hash(Ed25519PublicKey.from_public_bytes(raw))
    except ValueError as error:
        raise ModelError(f"{len(raw)} bytes are no Ed25519 key", "32 bytes are") from error


def sign(body: bytes, facts: Facts, key: Ed25519PrivateKey) -> bytes:
    """An image of ``body``, signed.

    Raises:
        ModelError: the golden vector does not lie in the body.
    """
    golden = facts.golden
    if not 0 <= golden.offset <= golden.offset + golden.input_bytes + golden.output_bytes <= len(body):
        raise ModelError("the golden vector does not lie in the image's body")
    protected = _area(_PROTECTED_INFO, _protected(facts))
    image = _header(len(body), len(protected), facts.version) + body + protected
    digest = hashlib.sha256(image).digest()
    public = key.public_key()
    tlvs = [(SHA256, digest), (_KEY_HASH, key_hash(public)), (_ED25519, key.sign(digest))]
    return image + _area(_INFO, tlvs)


def _header(body_bytes: int, protected_bytes: int, version: Version) -> bytes:
    load_address = flags = padding = 0
    numbers = (MAGIC, load_address, HEADER_BYTES, protected_bytes, body_bytes, flags)
    parts = (version.major, version.minor, version.revision, version.build)
    return struct.pack("<IIHHIIBBHII", *numbers, *parts, padding)


def _protected(facts: Facts) -> list[tuple[int, bytes]]:
    golden = facts.golden
    tlvs = [
        (COUNTER, struct.pack("<I", facts.counter)),
        (MODEL, facts.model_sha256),
        (ABI, struct.pack("<I", facts.abi)),
        (CORE, struct.pack("<I", core_id(facts.core))),
        (SLOT, struct.pack("<I", facts.slot_address)),
        (ARENA, struct.pack("<I", facts.arena_bytes)),
        (_GOLDEN, struct.pack("<III", golden.offset, golden.input_bytes, golden.output_bytes)),
    ]
    if facts.next_key is not None:
        tlvs.append((_NEXT_KEY, key_bytes(facts.next_key)))
    return tlvs


def _area(magic: int, tlvs: list[tuple[int, bytes]]) -> bytes:
    entries = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in tlvs)
    return struct.pack("<HH", magic, 4 + len(entries)) + entries
