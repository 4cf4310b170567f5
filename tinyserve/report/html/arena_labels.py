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


def short_name(name: str) -> str:
    """The last part of a name that holds every operator that was fused into it."""
    return name.rsplit(";", 1)[-1].rsplit("/", 1)[-1]
