# SPDX-License-Identifier: Apache-2.0
"""Safe access to FlatBuffers: every offset, table, vector and string is checked before it is read.

Format: https://flatbuffers.dev/internals. A table starts with a signed offset back to its vtable; the vtable
holds its own size, the table's size, and one uint16 per field (0 where the field is absent); references are
unsigned 32-bit offsets forward from where they stand. All integers are little-endian.
"""

from __future__ import annotations

import struct
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from tinyserve.errors import ModelError

_DAMAGED = "the file is damaged or truncated: copy or export it again"
_UINT16 = struct.Struct("<H")
_INT32 = struct.Struct("<i")
_UINT32 = struct.Struct("<I")
_SCALARS = {code: struct.Struct("<" + code) for code in ("b", "B", "h", "H", "i", "I", "q", "Q", "f")}

_WORK_PER_BYTE = 16
_WORK_BASE = 1 << 20
_TABLE_WORK = 128  # a table is at least 8 bytes, and one of the model's tables 16 or more


class FlatBuffer:
    """The bytes of a file and how much work reading them may still cost.

    References may be shared, so a small hostile file can describe a huge tree: all that is read is
    charged against a budget proportional to the file's size.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._work = _WORK_PER_BYTE * len(data) + _WORK_BASE

    def charge(self, work: int, what: str) -> None:
        """Takes ``work`` (bytes) off the budget. Raises ModelError where it is used up."""
        self._work -= work
        if self._work < 0:
            raise ModelError(f"{what}: the file refers to the same bytes far too many times", _DAMAGED)

    def check(self, position: int, size: int, what: str) -> None:
        """Raises ModelError unless ``size`` bytes at ``position`` lie within the file."""
        if position < 0 or size < 0 or position + size > len(self.data):
            raise ModelError(
                f"{what}: {size} bytes at offset {position} are outside the file of {len(self.data)} bytes",
                _DAMAGED,
            )

    def uint32(self, position: int, what: str) -> int:
        self.check(position, 4, what)
        value: int = _UINT32.unpack_from(self.data, position)[0]
        return value

    def root(self, what: str) -> Table:
        """The table that the file's first four bytes refer to."""
        return Table(self, self.uint32(0, what), what)


class Table:
    """One checked table. Fields are addressed by their number in the schema, not by vtable offset.

    ``what`` names the table in messages. Getters return the default, or None, where the field is absent,
    and raise ModelError where it is malformed.
    """

    def __init__(self, buffer: FlatBuffer, position: int, what: str) -> None:
        buffer.charge(_TABLE_WORK, what)
        buffer.check(position, 4, what)
        vtable = position - _INT32.unpack_from(buffer.data, position)[0]
        buffer.check(vtable, 4, what)
        vtable_size = _UINT16.unpack_from(buffer.data, vtable)[0]
        table_size = _UINT16.unpack_from(buffer.data, vtable + 2)[0]
        if vtable_size < 4 or vtable_size % 2 or table_size < 4:
            raise ModelError(f"{what}: malformed vtable at offset {vtable}", _DAMAGED)
        buffer.check(vtable, vtable_size, what)
        buffer.check(position, table_size, what)
        self.what = what
        self._buffer = buffer
        self._position = position
        self._vtable = vtable
        self._fields = (vtable_size - 4) // 2
        self._size = table_size

    def has(self, field: int) -> bool:
        return self._field(field, 1) is not None

    def scalar(self, field: int, code: str, default: Any) -> Any:
        """A number; ``code`` is a struct format character."""
        packed = _SCALARS[code]
        position = self._field(field, packed.size)
        return default if position is None else packed.unpack_from(self._buffer.data, position)[0]

    def table(self, field: int, what: str) -> Table | None:
        position = self._reference(field)
        return None if position is None else Table(self._buffer, position, what)

    def tables(self, field: int, what: str) -> list[Table]:
        """A vector of tables, empty where absent. Element i is named ``what`` #i."""
        vector = self._vector(field, 4)
        if vector is None:
            return []
        start, count = vector
        self._buffer.charge(4 * count, f"{self.what}: {what}")
        result = []
        for index in range(count):
            position = start + 4 * index
            offset = _UINT32.unpack_from(self._buffer.data, position)[0]
            result.append(Table(self._buffer, position + offset, f"{what} #{index}"))
        return result

    def numbers(self, field: int, dtype: str) -> npt.NDArray[Any] | None:
        """A vector of numbers as a read-only view of the file; ``dtype`` is a numpy type string ("<i4")."""
        itemsize = np.dtype(dtype).itemsize
        vector = self._vector(field, itemsize)
        if vector is None:
            return None
        start, count = vector
        return np.frombuffer(self._buffer.data, dtype=dtype, count=count, offset=start)

    def integers(self, field: int) -> tuple[int, ...] | None:
        """A vector of int32 as Python integers."""
        values = self.numbers(field, "<i4")
        return None if values is None else tuple(self._charged(values).tolist())

    def integers64(self, field: int) -> tuple[int, ...] | None:
        """A vector of int64 as Python integers."""
        values = self.numbers(field, "<i8")
        return None if values is None else tuple(self._charged(values).tolist())

    def floats(self, field: int) -> tuple[float, ...] | None:
        """A vector of float32 as Python floats (exactly the file's values)."""
        values = self.numbers(field, "<f4")
        return None if values is None else tuple(self._charged(values).tolist())

    def string(self, field: int, default: str = "") -> str:
        """A string; bytes that are not UTF-8 become escapes: a name never makes a model unreadable."""
        vector = self._vector(field, 1)
        if vector is None:
            return default
        start, count = vector
        self._buffer.charge(count, f"{self.what}: string")
        return self._buffer.data[start : start + count].decode("utf-8", errors="backslashreplace")

    def _charged(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._buffer.charge(values.nbytes, self.what)
        return values

    def _field(self, field: int, size: int) -> int | None:
        """The position of a field's inline data in the file, None where the field is absent."""
        if field >= self._fields:
            return None
        offset = _UINT16.unpack_from(self._buffer.data, self._vtable + 4 + 2 * field)[0]
        if offset == 0:
            return None
        if offset < 4 or offset + size > self._size:
            self._malformed(field, "lies outside its table")
        return int(self._position + offset)

    def _reference(self, field: int) -> int | None:
        """The position that a reference field points to."""
        position = self._field(field, 4)
        if position is None:
            return None
        offset = _UINT32.unpack_from(self._buffer.data, position)[0]
        if offset == 0:
            self._malformed(field, "refers to itself")
        return int(position + offset)

    def _vector(self, field: int, itemsize: int) -> tuple[int, int] | None:
        """Where a vector's elements start, and how many they are."""
        position = self._reference(field)
        if position is None:
            return None
        what = f"{self.what}: field {field}"
        count = self._buffer.uint32(position, what)
        self._buffer.check(position + 4, count * itemsize, what)
        return position + 4, count

    def _malformed(self, field: int, why: str) -> NoReturn:
        raise ModelError(f"{self.what}: field {field} {why}", _DAMAGED)
