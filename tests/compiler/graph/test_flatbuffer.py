# SPDX-License-Identifier: Apache-2.0
"""Access to FlatBuffers: values come out right, and nothing outside of the file is ever read."""

from __future__ import annotations

import struct

import pytest

from tinyserve.compiler.graph.flatbuffer import FlatBuffer
from tinyserve.errors import ModelError


def table_file(fields: bytes, slots: list[int], extra: bytes = b"") -> bytes:
    """A root table: vtable at 4, then the table (4 bytes of vtable offset, ``fields``), then ``extra``."""
    vtable = struct.pack("<HH", 4 + 2 * len(slots), 4 + len(fields))
    vtable += b"".join(struct.pack("<H", slot) for slot in slots)
    vtable += b"\0" * (-len(vtable) % 4)
    position = 4 + len(vtable)
    return struct.pack("<I", position) + vtable + struct.pack("<i", position - 4) + fields + extra


def test_reads_present_fields_and_defaults_of_absent_ones() -> None:
    root = FlatBuffer(table_file(struct.pack("<if", -7, 0.5), [4, 0, 8])).root("file")
    assert root.scalar(0, "i", 1) == -7
    assert root.scalar(1, "i", 99) == 99
    assert root.scalar(2, "f", 0.0) == 0.5
    assert root.scalar(3, "i", 12) == 12
    assert root.has(0) and not root.has(1) and not root.has(50)


def test_reads_vectors_and_strings() -> None:
    extra = struct.pack("<Iiii", 3, 1, -2, 3) + struct.pack("<I", 4) + b"abc\xff"
    root = FlatBuffer(table_file(struct.pack("<II", 8, 20), [4, 8], extra)).root("file")
    assert root.integers(0) == (1, -2, 3)
    assert root.string(1) == "abc\\xff"


@pytest.mark.parametrize(
    ("fields", "slots", "read"),
    [
        (struct.pack("<I", 4), [4], lambda t: t.integers(0)),  # the count itself is outside
        (struct.pack("<I", 0), [4], lambda t: t.integers(0)),  # refers to itself
        (struct.pack("<I", 0xFFFFFFFF), [4], lambda t: t.integers(0)),
        (struct.pack("<I", 0xFFFFFFFF), [4], lambda t: t.table(0, "inner")),
        (struct.pack("<I", 1), [6], lambda t: t.scalar(0, "I", 0)),  # reaches over the table's end
        (struct.pack("<I", 1), [2], lambda t: t.scalar(0, "I", 0)),  # lies in the vtable offset
        (struct.pack("<I", 1), [0xFFFE], lambda t: t.scalar(0, "I", 0)),
    ],
)
def test_refuses_what_lies_outside(fields, slots, read) -> None:
    root = FlatBuffer(table_file(fields, slots)).root("file")
    with pytest.raises(ModelError, match="file"):
        read(root)


def test_refuses_a_vector_longer_than_the_file_without_allocating_it() -> None:
    extra = struct.pack("<I", 0x3FFFFFFF)
    root = FlatBuffer(table_file(struct.pack("<I", 4), [4], extra)).root("file")
    for read in (root.integers, root.integers64, root.floats, root.string):
        with pytest.raises(ModelError):
            read(0)
    with pytest.raises(ModelError):
        root.tables(0, "inner")


@pytest.mark.parametrize("data", [b"", b"\0\0", struct.pack("<I", 4), struct.pack("<Ii", 4, 400)])
def test_refuses_roots_outside_of_the_file(data: bytes) -> None:
    with pytest.raises(ModelError):
        FlatBuffer(data).root("file")


def test_refuses_a_vtable_of_odd_or_tiny_size() -> None:
    good = bytearray(table_file(struct.pack("<I", 1), [4]))
    for size in (3, 5, 0):
        struct.pack_into("<H", good, 4, size)
        with pytest.raises(ModelError, match="vtable"):
            FlatBuffer(bytes(good)).root("file")


def test_many_references_to_the_same_bytes_end_at_a_budget() -> None:
    """A small file may describe an endless tree by referring to one vector from everywhere."""
    payload = struct.pack("<I", 50_000) + b"\1" * 50_000
    buffer = FlatBuffer(table_file(struct.pack("<I", 4), [4], payload))
    root = buffer.root("file")
    with pytest.raises(ModelError, match="too many times"):
        for _ in range(1000):
            root.string(0)
