# SPDX-License-Identifier: Apache-2.0
"""The lead of an overlap, against a simulation of every read and write in shared memory."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.compiler.ops.support.overlap import lead_bytes

Steps = list[tuple[list[int], int]]
steps = st.lists(
    st.tuples(st.lists(st.integers(0, 12), max_size=4), st.integers(0, 4)), min_size=1, max_size=8
)


def survives(walk: Steps, lead: int) -> bool:
    """Whether all reads see the input when the output starts ``lead`` bytes before it."""
    memory = {lead + address: address for address in range(64)}
    end = 0
    for reads, written in walk:
        if any(memory.get(lead + address) != address for address in reads):
            return False
        for address in range(end, end + written):
            memory[address] = -1
        end += written
    return True


@given(steps)
def test_the_lead_is_safe_and_the_least_one(walk: Steps) -> None:
    ends = np.cumsum([written for _, written in walk])
    first = np.array([min(reads, default=1 << 40) for reads, _ in walk])
    lead = lead_bytes(first, ends)
    assert survives(walk, lead)
    assert lead == 0 or not survives(walk, lead - 1)
