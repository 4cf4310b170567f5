# SPDX-License-Identifier: Apache-2.0
"""Windows: the first reads that overlaps are computed from, against a walk over every tap."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.compiler.ops.support.overlap import NOTHING_READ
from tinyserve.compiler.ops.support.window import Window

small = st.integers(1, 6)


@given(
    extents=st.tuples(small, small), taps=st.tuples(small, small), outputs=st.tuples(small, small),
    strides=st.tuples(small, small), dilations=st.tuples(small, small),
    pads=st.tuples(st.integers(0, 5), st.integers(0, 5)), batches=st.integers(1, 2),
)  # fmt: skip
def test_first_reads_are_the_least_position_of_any_tap(
    *,
    extents: tuple[int, int],
    taps: tuple[int, int],
    outputs: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, int],
    batches: int,
) -> None:
    view = Window(batches, *extents, 1, *taps, *outputs, *strides, *dilations, *pads)
    expected = []
    for b, oy, ox in np.ndindex(batches, *outputs):
        read = [
            (b * extents[0] + y) * extents[1] + x
            for fy, fx in np.ndindex(*taps)
            for y in [oy * strides[0] - pads[0] + fy * dilations[0]]
            for x in [ox * strides[1] - pads[1] + fx * dilations[1]]
            if 0 <= y < extents[0] and 0 <= x < extents[1]
        ]
        expected.append(min(read, default=NOTHING_READ))
    assert view.first_reads().tolist() == expected
