# SPDX-License-Identifier: Apache-2.0
"""Loads and stores of the clock are decoded as the assembler encoded them."""

from __future__ import annotations

import capstone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.devices.emulators.transfers import Transfer, advance_it_state, decode

# Encodings from the GNU assembler.
THUMB = {
    "ldr r0, [r4]": ("2068", Transfer(0, 2, True)),
    "str r1, [r5, #4]": ("6960", Transfer(1, 2, False)),
    "ldr r2, [r3, r1]": ("5a58", Transfer(2, 2, True)),
    "str r2, [r3, r1]": ("5a50", Transfer(2, 2, False)),
    "ldr.w r9, [r8, #4]": ("d8f80490", Transfer(9, 4, True)),
    "str.w r9, [r8, #4]": ("c8f80490", Transfer(9, 4, False)),
    "ldr.w r10, [r8, r1, lsl #2]": ("58f821a0", Transfer(10, 4, True)),
    "ldr r3, [r2, #-4]": ("52f8043c", Transfer(3, 4, True)),
    "ldr r3, [r2], #4": ("52f8043b", None),
    "ldrd r0, r1, [r2]": ("d2e90001", None),
    "adds r0, r0, r1": ("4018", None),
    "ldrb r0, [r4]": ("2078", None),
    "ldr pc, [r1]": ("d1f800f0", None),
}
RISCV = {
    "lw a0, -8(a5)": ("03a587ff", Transfer(10, 4, True)),
    "sw a0, 4(a5)": ("23a2a700", Transfer(10, 4, False)),
    "c.lw a4, 4(a5)": ("d843", Transfer(14, 2, True)),
    "c.sw a4, 4(a5)": ("d8c3", Transfer(14, 2, False)),
    "lb a0, 0(a5)": ("03850700", None),
    "c.addi a0, 1": ("0505", None),
}


@pytest.mark.parametrize("text", THUMB)
def test_thumb(text: str) -> None:
    code, expected = THUMB[text]
    assert decode(bytes.fromhex(code).ljust(4, b"\0"), riscv=False) == expected


@pytest.mark.parametrize("text", RISCV)
def test_riscv(text: str) -> None:
    code, expected = RISCV[text]
    assert decode(bytes.fromhex(code).ljust(4, b"\0"), riscv=True) == expected


@given(st.binary(min_size=4, max_size=4))
def test_whatever_is_taken_for_a_thumb_transfer_is_one(code: bytes) -> None:
    transfer = decode(code, riscv=False)
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    instruction = next(engine.disasm_lite(code, 0x1000, 1), None)
    if transfer is None or instruction is None:
        return  # an unpredictable encoding (r13 as index) that capstone refuses is harmless here
    _, size, mnemonic, operands = instruction
    assert size == transfer.bytes
    assert mnemonic.removesuffix(".w") == ("ldr" if transfer.is_load else "str")
    register = operands.split(",")[0].replace("sb", "r9").replace("sl", "r10").replace("fp", "r11")
    assert register.replace("ip", "r12") == f"r{transfer.register}"


def test_an_it_block_ends_after_its_last_instruction() -> None:
    def with_state(state: int) -> int:
        return 0x0100_0000 | (state & 3) << 25 | state >> 2 << 10

    # ITTTE EQ: four conditions eq, eq, eq, ne (0b0000 0001, shifted in one by one).
    states = [0b0000_0011]
    for _ in range(4):
        states.append(advance_it_state(with_state(states[-1])))
        states[-1] = (states[-1] >> 25 & 3) | (states[-1] >> 10 & 0x3F) << 2
    assert states == [0b0000_0011, 0b0000_0110, 0b0000_1100, 0b0001_1000, 0]
