# SPDX-License-Identifier: Apache-2.0
"""Ed25519's verification: RFC 8032's vectors, the edge cases that verifiers differ in, OpenSSL's answers."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.firmware.slots.conftest import SLOTS
from tests.firmware.target_functions import TargetFunctions
from tests.support.places import CHECKOUT
from tinyserve.boards.catalog import cores
from tinyserve.firmware.process import run_all
from tinyserve.firmware.toolchain import toolchain_for

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493

# RFC 8032, 7.1: secret key, public key, message, signature of TEST 1, 2, 3 and SHA(abc)
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
        "eeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
        "8dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce8"
        "0e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac1"
        "7ad9bef1177331a704",
    ),
]


def verify(library: ctypes.CDLL, signature: bytes, key: bytes, message: bytes) -> bool:
    return bool(library.ts_ed25519_verify(signature, key, message, len(message)))


@pytest.mark.parametrize("number", range(len(RFC_8032)))
def test_vectors_of_rfc_8032(library: ctypes.CDLL, number: int) -> None:
    secret, key, message, signature = map(bytes.fromhex, RFC_8032[number])
    assert Ed25519PrivateKey.from_private_bytes(secret).sign(message) == signature
    assert verify(library, signature, key, message)


@given(
    secret=st.binary(min_size=32, max_size=32),
    message=st.binary(max_size=200),
    bit=st.integers(0, 64 * 8 - 1),
)
@settings(max_examples=100)
def test_a_signature_holds_and_one_with_a_flipped_bit_does_not(
    library: ctypes.CDLL, secret: bytes, message: bytes, bit: int
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(secret)
    key = private.public_key().public_bytes_raw()
    signature = private.sign(message)
    assert verify(library, signature, key, message)
    damaged = bytearray(signature)
    damaged[bit // 8] ^= 1 << bit % 8
    assert not verify(library, bytes(damaged), key, message)
    assert not verify(library, signature, key, message + b"\0")


@given(key=st.binary(min_size=32, max_size=32), signature=st.binary(min_size=64, max_size=64))
@settings(max_examples=100)
def test_random_bytes_are_no_signature(library: ctypes.CDLL, key: bytes, signature: bytes) -> None:
    assert not verify(library, signature, key, b"message")


def test_s_must_be_below_the_order(library: ctypes.CDLL) -> None:
    """S + L gives the same point: without the bound anyone makes a second signature of a message."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key, signature = private.public_key().public_bytes_raw(), private.sign(b"m")
    scalar = int.from_bytes(signature[32:], "little")
    again = signature[:32] + (scalar + ORDER).to_bytes(32, "little")
    assert verify(library, signature, key, b"m")
    assert not verify(library, again, key, b"m")


def torsion_points() -> list[bytes]:
    """The encodings of the eight points whose order divides 8, non-canonical ones among them."""
    eighth = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826  # y of a point of order 8
    return [
        (y | sign << 255).to_bytes(32, "little")
        for y in (0, 1, P - 1, P, P + 1, eighth, P - eighth)
        for sign in (0, 1)
    ]


@pytest.mark.parametrize("number", range(14))
def test_keys_of_small_order_sign_nothing(library: ctypes.CDLL, number: int) -> None:
    """With A of small order, R = 0 and S = 0 hold for one message in eight at least: no secret is needed."""
    key = torsion_points()[number]
    neutral = (1).to_bytes(32, "little")
    accepted = [
        message for message in range(40) if verify(library, neutral + bytes(32), key, bytes([message]))
    ]
    assert not accepted


def test_openssl_takes_such_a_forgery() -> None:
    """What the test above refuses is real: a verifier by the letter of RFC 8032 takes it."""
    neutral = (1).to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"any message")


@pytest.mark.parametrize("y", [P, P + 1, P + 3, P + 18, 2**255 - 1])
def test_encodings_of_y_above_p_are_refused(library: ctypes.CDLL, y: int) -> None:
    key = y.to_bytes(32, "little")
    assert not any(verify(library, key + bytes(32), key, bytes([m])) for m in range(20))


def test_it_agrees_with_openssl_on_signatures_that_were_bent(library: ctypes.CDLL) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key()
    key, signature = public.public_bytes_raw(), private.sign(b"m")
    for index in range(64):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            bent = signature[:index] + bytes([value]) + signature[index + 1 :]
            try:
                public.verify(bent, b"m")
                expected = True
            except InvalidSignature:
                expected = False
            assert verify(library, bent, key, b"m") == expected, (index, value)


@pytest.fixture(scope="module")
def cortex_m0(tmp_path_factory: pytest.TempPathFactory) -> TargetFunctions:
    sources = [*sorted(SLOTS.glob("*.c")), *sorted((CHECKOUT / "firmware_templates" / "shim").glob("*.c"))]
    return TargetFunctions("cortex-m0", sources, tmp_path_factory.mktemp("m0"))


def test_on_a_cortex_m0_it_takes_less_than_two_seconds_at_48_mhz(cortex_m0: TargetFunctions) -> None:
    """Instructions are exact, and bound the cycles: on average they take less than three on that core,
    whose loads take two, taken branches three, and everything else one."""
    _, key, message, signature = map(bytes.fromhex, RFC_8032[3])
    limit = 2 * 48_000_000 // 3
    places = cortex_m0.place(signature, key, message)
    assert cortex_m0.call("ts_ed25519_verify", *places, len(message), limit=limit)[0] == 1
    assert cortex_m0.stack_bytes("ts_ed25519_verify", *places, len(message), limit=limit) < 2048
    places = cortex_m0.place(signature, key, message[:-1] + b"\0")
    assert cortex_m0.call("ts_ed25519_verify", *places, len(message), limit=limit)[0] == 0


def test_hashes_and_verification_take_less_than_six_kilobytes(tmp_path: Path) -> None:
    core = cores()["cortex-m0"]
    tools = toolchain_for(core)
    objects = [tmp_path / f"{source.stem}.o" for source in (SLOTS / "sha2.c", SLOTS / "ed25519.c")]
    flags = [*tools.compiler, *tools.target_flags, *tools.compile_flags, "-Os", "-c"]
    compiles = [[*flags, str(SLOTS / f"{made.stem}.c"), "-o", str(made)] for made in objects]
    assert all(finished.status == 0 for finished in run_all(compiles, tmp_path, 120))
    assert sum(_loaded_bytes(made) for made in objects) < 6 * 1024


def _loaded_bytes(path: Path) -> int:
    with path.open("rb") as file:
        sections = ELFFile(file).iter_sections()
        return sum(section["sh_size"] for section in sections if section["sh_flags"] & SH_FLAGS.SHF_ALLOC)
