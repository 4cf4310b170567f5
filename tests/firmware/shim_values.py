# SPDX-License-Identifier: Apache-2.0
"""Operands for the run-time arithmetic: random ones and those at the edges."""

from __future__ import annotations

import random

_INT_EDGES = (0, 1, 2, 3, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def integer(generator: random.Random, bits: int) -> int:
    """An unsigned integer of any length up to ``bits``, often an edge."""
    if generator.random() < 0.2:
        low = generator.choice(_INT_EDGES)
        return low if bits == 32 else low << 32 * generator.getrandbits(1) | generator.choice(_INT_EDGES)
    return generator.getrandbits(bits) >> generator.randrange(bits)


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
