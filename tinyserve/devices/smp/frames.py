# SPDX-License-Identifier: Apache-2.0
"""SMP's serial framing: base64 lines that hold a length, a packet and its CRC-16 (XMODEM)."""

from __future__ import annotations

import binascii
import struct
from base64 import b64decode, b64encode

START, MORE = b"\x06\x09", b"\x04\x14"
_RAW_PER_LINE = 90
_MOST_BYTES = 0xFFFF


def encode(packet: bytes) -> bytes:
    """A packet as lines."""
    checked = packet + struct.pack(">H", crc16(packet))
    whole = struct.pack(">H", len(checked)) + checked
    lines = (whole[at : at + _RAW_PER_LINE] for at in range(0, len(whole), _RAW_PER_LINE))
    return b"".join((MORE if i else START) + b64encode(line) + b"\n" for i, line in enumerate(lines))


def crc16(data: bytes) -> int:
    """CRC-16/XMODEM."""
    return binascii.crc_hqx(data, 0)


class Assembler:
    """Puts lines together. Text, torn packets and those whose check fails are dropped."""

    def __init__(self) -> None:
        self._parts: bytearray | None = None

    def feed(self, line: bytes) -> bytes | None:
        """The packet that ends with this line (without its line end), if one does."""
        at = max(line.rfind(START), line.rfind(MORE))
        if at < 0:
            return None
        line = line[at:]
        if line.startswith(START):
            self._parts = bytearray()
        if self._parts is None:
            return None
        try:
            self._parts += b64decode(line[2:], validate=True)
        except (binascii.Error, ValueError):
            self._parts = None
            return None
        return self._finished()

    def _finished(self) -> bytes | None:
        assert self._parts is not None
        if len(self._parts) < 2:
            return None
        (announced,) = struct.unpack_from(">H", self._parts)
        if len(self._parts) < announced + 2 and len(self._parts) <= _MOST_BYTES:
            return None
        whole, self._parts = bytes(self._parts[2:]), None
        if len(whole) != announced or announced < 2 or crc16(whole) != 0:
            return None
        return whole[:-2]
