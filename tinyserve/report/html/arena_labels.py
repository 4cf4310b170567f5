# SPDX-License-Identifier: Apache-2.0
"""Where a buffer's name goes in a picture of the arena: boxes overlap in time and bytes, names must not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tinyserve.bench.result import ArenaBlock


def clear_span(block: ArenaBlock, blocks: Sequence[ArenaBlock]) -> tuple[int, int]:
    """The largest range of the block's bytes that no other box's edge crosses at the layer that makes it.

    No two buffers are made in one place, so that a name within this range and layer meets no other.
    """
    end = block.offset + block.bytes
    edges = {block.offset, end}
    for other in blocks:
        if other.first <= block.first <= other.last:
            edges |= {at for at in (other.offset, other.offset + other.bytes) if block.offset < at < end}
    ordered = sorted(edges)
    return max(pairwise(ordered), key=lambda span: span[1] - span[0])


def clear_steps(block: ArenaBlock, blocks: Sequence[ArenaBlock]) -> int:
    """For how many layers, from the one that makes it on, no later box shares the block's bytes."""
    end = block.offset + block.bytes
    later = [
        other.first
        for other in blocks
        if block.first < other.first <= block.last
        and other.offset < end
        and block.offset < other.offset + other.bytes
    ]
    return min(later, default=block.last + 1) - block.first


def short_name(name: str) -> str:
    """The last part of a name that holds every operator that was fused into it."""
    return name.rsplit(";", 1)[-1].rsplit("/", 1)[-1]
