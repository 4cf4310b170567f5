# SPDX-License-Identifier: Apache-2.0
"""Calls and stack use in RV32IMC machine code: just enough to follow calls.

Encodings are of the RISC-V Instruction Set Manual, Volume I, chapters RV32I and C.
"""

from __future__ import annotations

from collections.abc import Iterator

from tinyserve.firmware.code import Transfer

_SP = 2
_RA = 1


def transfers(code: bytes, address: int) -> Iterator[Transfer]:
    """Calls and unconditional jumps in ``code``, which lies at ``address``."""
    upper: dict[int, int] = {}  # registers that AUIPC set
    for at, word, size in _instructions(code):
        pc = address + at
        if size == 4:
            opcode, rd, rs1 = word & 127, word >> 7 & 31, word >> 15 & 31
            if opcode == 0x6F:  # JAL
                yield Transfer(pc + _jal_offset(word))
            elif opcode == 0x17:  # AUIPC
                upper[rd] = pc + (word & 0xFFFFF000)
            elif opcode == 0x67:  # JALR
                if rs1 in upper:
                    yield Transfer((upper[rs1] + _signed(word >> 20, 12)) & 0xFFFFFFFF)
                elif rd != 0 or rs1 != _RA:
                    yield Transfer(None)
        elif word & 3 == 1 and word >> 13 in (0b001, 0b101):  # C.JAL, C.J
            yield Transfer(pc + _cj_offset(word))
        elif word & 0xE07F == 0x8002 and word >> 7 & 31:  # C.JR, C.JALR
            yield from () if word & 0x1F80 == _RA << 7 else (Transfer(None),)


def frame_bytes(code: bytes) -> int:
    """An upper bound of the stack that the function itself takes: all that it subtracts from SP."""
    total = 0
    for _, word, size in _instructions(code):
        if size == 4 and word & 0xFFFFF == _SP << 15 | _SP << 7 | 0x13:  # ADDI SP, SP, imm
            total += max(0, -_signed(word >> 20, 12))
        elif size == 2 and word & 0xEF83 == 0x6101:  # C.ADDI16SP
            total += max(0, -_addi16sp(word))
        elif size == 2 and word & 0xEF83 == 0x0101:  # C.ADDI SP
            total += max(0, -_signed((word >> 12 & 1) << 5 | word >> 2 & 31, 6))
    return total


def _instructions(code: bytes) -> Iterator[tuple[int, int, int]]:
    at = 0
    while at + 2 <= len(code):
        size = 4 if code[at] & 3 == 3 else 2
        yield at, int.from_bytes(code[at : at + size], "little"), size
        at += size


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def _jal_offset(word: int) -> int:
    offset = (
        (word >> 31) << 20 | (word >> 12 & 0xFF) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 0x3FF) << 1
    )
    return _signed(offset, 21)


def _cj_offset(word: int) -> int:
    places = ((12, 11), (11, 4), (10, 9), (9, 8), (8, 10), (7, 6), (6, 7), (5, 3), (4, 2), (3, 1), (2, 5))
    return _signed(sum((word >> source & 1) << to for source, to in places), 12)


def _addi16sp(word: int) -> int:
    places = ((12, 9), (6, 4), (5, 6), (4, 8), (3, 7), (2, 5))
    return _signed(sum((word >> source & 1) << to for source, to in places), 10)
