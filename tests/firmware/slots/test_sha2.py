# SPDX-License-Identifier: Apache-2.0
"""SHA-256 and SHA-512 beside hashlib's, over every length near a block's edge, in pieces of any size."""

from __future__ import annotations

import ctypes
import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

_STATE_BYTES = 256  # more than either context takes


def digest(library: ctypes.CDLL, name: str, pieces: list[bytes]) -> bytes:
    state = (ctypes.c_uint64 * (_STATE_BYTES // 8))()
    made = (ctypes.c_uint8 * 64)()
    getattr(library, f"ts_{name}_start")(state)
    for piece in pieces:
        getattr(library, f"ts_{name}_add")(state, piece, len(piece))
    getattr(library, f"ts_{name}_finish")(state, made)
    return bytes(made)[: hashlib.new(name).digest_size]


@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_every_length_up_to_three_blocks(library: ctypes.CDLL, name: str) -> None:
    message = random.Random(1).randbytes(400)
    for length in range(400):
        expected = hashlib.new(name, message[:length]).digest()
        assert digest(library, name, [message[:length]]) == expected, length


@pytest.mark.parametrize("name", ["sha256", "sha512"])
@given(pieces=st.lists(st.binary(max_size=300), max_size=8))
@settings(max_examples=60)
def test_pieces_hash_as_what_they_join_to(library: ctypes.CDLL, name: str, pieces: list[bytes]) -> None:
    assert digest(library, name, pieces) == hashlib.new(name, b"".join(pieces)).digest()
