# SPDX-License-Identifier: Apache-2.0
"""Operands for the run-time arithmetic: random ones and those at the edges."""

from __future__ import annotations

import random

_FLOAT_EDGES = (
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, 0x80800000, 0x3F800000,
    0xBF800000, 0x3F7FFFFF, 0x3F800001, 0x4B000000, 0x4EFFFFFF, 0x4F000000, 0xCF000000, 0x5F000000,
    0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001,
)  # fmt: skip
_INT_EDGES = (0, 1, 2, 3, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def float_bits(generator: random.Random) -> int:
    """Bits of a float: an edge, any, or one of moderate size, so that sums round and cancel."""
    kind = generator.random()
    if kind < 0.15:
        return generator.choice(_FLOAT_EDGES)
    if kind < 0.4:
        return generator.getrandbits(32)
    fraction = generator.choice((generator.getrandbits(23), generator.getrandbits(2), 0x7FFFFF))
    return generator.getrandbits(1) << 31 | 127 + generator.randint(-26, 26) << 23 | fraction


def integer(generator: random.Random, bits: int) -> int:
    """An unsigned integer of any length up to ``bits``, often an edge."""
    if generator.random() < 0.2:
        low = generator.choice(_INT_EDGES)
        return low if bits == 32 else low << 32 * generator.getrandbits(1) | generator.choice(_INT_EDGES)
    return generator.getrandbits(bits) >> generator.randrange(bits)


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
