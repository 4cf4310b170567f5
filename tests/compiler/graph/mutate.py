# SPDX-License-Identifier: Apache-2.0
"""Damages .tflite files as bit rot, truncation and attackers would, the structure more than the weights."""

from __future__ import annotations

import numpy as np

_EVIL_WORDS = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE)


def mutate(data: bytes, rng: np.random.Generator, most: int = 8) -> bytes:
    """One to ``most`` changes of random kinds."""
    damaged = bytearray(data)
    for _ in range(int(rng.integers(1, most + 1))):
        _MUTATIONS[int(rng.integers(len(_MUTATIONS)))](damaged, rng)
        if len(damaged) <= 8:
            break
    return bytes(damaged)


def _place(data: bytearray, rng: np.random.Generator, size: int) -> int:
    """Half of the time near one of the ends, where the tables are."""
    last = max(len(data) - size, 1)
    if rng.random() < 0.5:
        near = int(rng.integers(min(4096, last)))
        return near if rng.random() < 0.5 else last - 1 - near
    return int(rng.integers(last))


def _flip_bit(data: bytearray, rng: np.random.Generator) -> None:
    data[_place(data, rng, 1)] ^= 1 << int(rng.integers(8))


def _set_byte(data: bytearray, rng: np.random.Generator) -> None:
    data[_place(data, rng, 1)] = int(rng.integers(256))


def _set_word(data: bytearray, rng: np.random.Generator) -> None:
    """An aligned word to a value that breaks naive arithmetic."""
    position = _place(data, rng, 8) & ~3
    data[position : position + 4] = _EVIL_WORDS[int(rng.integers(len(_EVIL_WORDS)))].to_bytes(4, "little")


def _nudge_word(data: bytearray, rng: np.random.Generator) -> None:
    """An aligned word up or down a little: offsets, counts, extents, indices."""
    position = _place(data, rng, 8) & ~3
    value = int.from_bytes(data[position : position + 4], "little") + int(rng.integers(-16, 17))
    data[position : position + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")


def _copy_word(data: bytearray, rng: np.random.Generator) -> None:
    source, target = _place(data, rng, 8) & ~3, _place(data, rng, 8) & ~3
    data[target : target + 4] = data[source : source + 4]


def _truncate(data: bytearray, rng: np.random.Generator) -> None:
    if rng.random() < 0.2:
        del data[int(rng.integers(8, len(data))) :]


def _cut_or_grow(data: bytearray, rng: np.random.Generator) -> None:
    if rng.random() < 0.2:
        position = _place(data, rng, 64)
        if rng.random() < 0.5:
            del data[position : position + int(rng.integers(1, 64))]
        else:
            data[position:position] = rng.bytes(int(rng.integers(1, 64)))


_MUTATIONS = (
    _flip_bit, _set_byte, _set_word, _set_word, _nudge_word, _nudge_word, _copy_word, _truncate, _cut_or_grow,
)  # fmt: skip
