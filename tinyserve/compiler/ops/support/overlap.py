# SPDX-License-Identifier: Apache-2.0
"""How far an output must lie before its input when both share memory: see Overlap in codegen.program."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.program import Buffer, Operand, Overlap

IntArray = npt.NDArray[np.int64]
NOTHING_READ = 1 << 40
"""First read of a step that reads nothing."""


def lead_bytes(first_read: IntArray, write_end: IntArray) -> int:
    """The least lead at which no write destroys a byte that is still to be read.

    The kernel runs in steps. Step t first reads input bytes from ``first_read[t]`` upwards, then writes the
    output up to byte ``write_end[t]`` (exclusive, ascending). So what step t writes must end before all
    that later steps read.
    """
    if len(first_read) < 2:
        return 0
    still_needed = np.minimum.accumulate(first_read[::-1])[::-1]
    return max(0, int(np.max(write_end[:-1] - still_needed[1:])))


def overlaps(input: Operand | None, output: Operand | None, lead: int) -> list[Overlap]:
    """The permission, where both are buffers."""
    if isinstance(input, Buffer) and isinstance(output, Buffer) and input is not output:
        return [Overlap(input, output, lead)]
    return []
