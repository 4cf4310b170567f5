# SPDX-License-Identifier: Apache-2.0
"""Calls and stack use in Thumb-2 machine code (Armv6-M to Armv8.1-M): just enough to follow calls.

Encodings are of the Armv8-M Architecture Reference Manual (DDI 0553). MVE and FPU instructions pass as 32-bit
ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from tinyserve.firmware.code import Transfer


def transfers(code: bytes, address: int) -> Iterator[Transfer]:
    """Calls and unconditional jumps in ``code``, which lies at ``address``."""
    for at, first, second in _instructions(code):
        pc = address + at + 4
        if second is not None:
            if first >> 11 == 0b11110 and second & 0x9000 == 0x9000:  # BL, B.W
                yield Transfer(pc + _long_offset(first, second))
        elif first >> 11 == 0b11100:  # B
            offset = (first & 0x7FF) << 1
            yield Transfer(pc + (offset - 0x1000 if offset & 0x800 else offset))
        elif first >> 8 == 0x47:  # BX, BLX
            register = first >> 3 & 15
            if first & 0x80 or register != 14:
                yield Transfer(None)


def frame_bytes(code: bytes) -> int:
    """An upper bound of the stack that the function itself takes: all that it pushes or subtracts from SP."""
    total = 0
    for _, first, second in _instructions(code):
        if second is None:
            if first >> 9 == 0b1011010:  # PUSH
                total += 4 * (first & 0x1FF).bit_count()
            elif first >> 7 == 0b101100001:  # SUB SP, #imm7
                total += (first & 0x7F) * 4
        elif first == 0xE92D:  # STMDB SP!
            total += 4 * second.bit_count()
        elif first == 0xF84D and second & 0xFFF == 0xD04:  # STR Rt, [SP, #-4]!
            total += 4
        elif first & 0xFBEF == 0xF1AD and second & 0x8F00 == 0x0D00:  # SUB.W SP, SP, #const
            total += _modified_immediate(first >> 10 & 1, second)
        elif first & 0xFBFF == 0xF2AD and second & 0x8F00 == 0x0D00:  # SUBW SP, SP, #imm12
            total += (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
        elif first & 0xFFBF == 0xED2D and second & 0xE00 == 0xA00:  # VPUSH
            total += 4 * (second & 0xFF)
    return total


def _instructions(code: bytes) -> Iterator[tuple[int, int, int | None]]:
    at = 0
    while at + 2 <= len(code):
        first = int.from_bytes(code[at : at + 2], "little")
        if first >> 11 in (0b11101, 0b11110, 0b11111):
            yield at, first, int.from_bytes(code[at + 2 : at + 4], "little")
            at += 4
        else:
            yield at, first, None
            at += 2


def _long_offset(first: int, second: int) -> int:
    """The signed 25-bit offset of BL and B.W (encodings T1 and T4)."""
    sign = first >> 10 & 1
    i1 = 1 - ((second >> 13 & 1) ^ sign)
    i2 = 1 - ((second >> 11 & 1) ^ sign)
    offset = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    return offset - (1 << 25) if sign else offset


def _modified_immediate(i: int, second: int) -> int:
    """ThumbExpandImm."""
    imm12 = i << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    byte = imm12 & 0xFF
    if imm12 >> 10 == 0:
        return (byte, byte << 16 | byte, byte << 24 | byte << 8, byte * 0x01010101)[imm12 >> 8 & 3]
    value, rotation = 0x80 | imm12 & 0x7F, imm12 >> 7
    return (value >> rotation | value << (32 - rotation)) & 0xFFFFFFFF
