# SPDX-License-Identifier: Apache-2.0
"""Carries out by hand the one instruction that touches the clock: a 32-bit load or store of one register.

Encodings: Armv7-M Architecture Reference Manual, A7.7.43-45 (LDR), A7.7.161-162 (STR), A7.3.3 (ITSTATE);
RISC-V Unprivileged ISA, LW, SW, C.LW and C.SW.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Transfer:
    """``register`` is its number (r0-r12, x0-x31), ``bytes`` the instruction's length."""

    register: int
    bytes: int
    is_load: bool


def decode(code: bytes, riscv: bool) -> Transfer | None:
    """The 32-bit load or store that ``code`` (four bytes) begins with; None for anything else, and for those
    that also change their base register."""
    first, second = struct.unpack("<HH", code[:4])
    return _riscv(first, second) if riscv else _thumb(first, second)


def advance_it_state(cpsr: int) -> int:
    """CPSR behind an instruction: the state of a conditional (IT) block moves on by one (ITAdvance())."""
    state = (cpsr >> 25 & 3) | (cpsr >> 10 & 0x3F) << 2
    state = state & 0xE0 | state << 1 & 0x1F if state & 7 else 0
    return cpsr & ~0x0600FC00 | (state & 3) << 25 | state >> 2 << 10


def _thumb(first: int, second: int) -> Transfer | None:
    if first >> 12 == 0b0110:  # LDR and STR Rt, [Rn, #imm5]
        return Transfer(first & 7, 2, bool(first & 0x0800))
    if first >> 9 in (0b0101100, 0b0101000):  # LDR and STR Rt, [Rn, Rm]
        return Transfer(first & 7, 2, bool(first & 0x0800))
    register, is_load = second >> 12, bool(first & 0x0010)
    if register > 12:
        return None
    if first & 0xFFE0 == 0xF8C0:  # LDR.W and STR.W Rt, [Rn, #imm12]
        return Transfer(register, 4, is_load)
    # LDR.W and STR.W Rt, [Rn, Rm, LSL #n] or Rt, [Rn, #-imm8]
    if first & 0xFFE0 == 0xF840 and (second & 0x0FC0 == 0 or second & 0x0F00 == 0x0C00):
        return Transfer(register, 4, is_load)
    return None


def _riscv(first: int, second: int) -> Transfer | None:
    if first & 0x6003 == 0x4000:  # C.LW and C.SW
        return Transfer(8 + (first >> 2 & 7), 2, not first & 0x8000)
    word = first | second << 16
    if word & 0x707F == 0x2003:  # LW
        return Transfer(word >> 7 & 31, 4, True)
    if word & 0x707F == 0x2023:  # SW
        return Transfer(word >> 20 & 31, 4, False)
    return None
