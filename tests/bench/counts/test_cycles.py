# SPDX-License-Identifier: Apache-2.0
"""The cycle model: hand-assembled blocks with the cycles that Arm's manuals give for them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tinyserve.bench.counts.cycles import estimate

BASE = 0x1000


@dataclass(frozen=True)
class Run:
    address: int
    bytes: int
    instructions: int
    count: int


class Image:
    def __init__(self, halfwords: list[int]) -> None:
        self.data = b"".join(word.to_bytes(2, "little") for word in halfwords)

    def read_memory(self, address: int, size: int) -> bytes:
        return self.data[address - BASE : address - BASE + size]


def cycles(halfwords: list[int], core: str, *runs: Run, wait_states: int = 0) -> tuple[float, float]:
    found = estimate(runs, Image(halfwords), core, wait_states)
    assert found
    return found.low, found.high


NOP, ADDS, LDR_R0, LDR_R1, STR_R0 = 0xBF00, 0x1840, 0x6810, 0x6851, 0x6010
B_BACK, BNE_BACK, BX_LR, MULS = 0xE7FD, 0xD1FD, 0x4770, 0x4348
POP_R4_PC, PUSH_R4_LR, LDM_R0_4 = 0xBD10, 0xB510, 0xC81E
SMLAL = [0xFBC0, 0x1203]
UDIV = [0xFBB0, 0xF0F1]


@pytest.mark.parametrize(
    ("code", "core", "low", "high"),
    [
        ([ADDS, ADDS], "cortex-m4", 2, 2),
        ([LDR_R0], "cortex-m4", 2, 2),
        ([LDR_R0, LDR_R1], "cortex-m4", 3, 3),  # the second load's address phase overlaps the first's data
        ([LDR_R0, LDR_R1], "cortex-m0", 4, 4),
        ([STR_R0], "cortex-m4", 1, 1),
        ([STR_R0], "cortex-m0", 2, 2),
        ([LDM_R0_4], "cortex-m4", 5, 5),
        ([PUSH_R4_LR], "cortex-m0", 3, 3),
        ([MULS], "cortex-m0", 1, 1),
        (SMLAL, "cortex-m4", 1, 1),
        (SMLAL, "cortex-m3", 3, 7),
        (UDIV, "cortex-m4", 2, 12),
        ([BX_LR], "cortex-m0", 3, 3),
        ([BX_LR], "cortex-m0plus", 2, 2),
        ([BX_LR], "cortex-m4", 2, 4),
        ([POP_R4_PC], "cortex-m4", 4, 6),
    ],
)
def test_single_instructions_cost_what_the_manuals_say(
    code: list[int], core: str, low: float, high: float
) -> None:
    run = Run(BASE, 2 * len(code), 1, 10)
    assert cycles(code, core, run) == (10 * low, 10 * high)


def test_a_loop_falls_through_as_often_as_what_follows_is_entered() -> None:
    # nop; bne back: 100 rounds, 99 of them taken; then one nop.
    code = [NOP, BNE_BACK, NOP]
    loop, rest = Run(BASE, 4, 2, 100), Run(BASE + 4, 2, 1, 1)
    assert cycles(code, "cortex-m0", loop, rest) == (100 * 2 + 99 * 2 + 1, 100 * 2 + 99 * 2 + 1)
    assert cycles(code, "cortex-m4", loop, rest) == (100 * 2 + 99 * 1 + 1, 100 * 2 + 99 * 3 + 1)


def test_wait_states_widen_only_the_upper_end_and_only_at_taken_branches() -> None:
    run = Run(BASE, 2, 1, 10)
    assert cycles([B_BACK], "cortex-m4", run, wait_states=5) == (10 * 2, 10 * (4 + 5))
    assert cycles([ADDS], "cortex-m4", run, wait_states=5) == (10, 10)


def test_a_core_without_a_table_has_no_estimate() -> None:
    assert estimate([Run(BASE, 2, 1, 1)], Image([NOP]), "rv32imc") is None
