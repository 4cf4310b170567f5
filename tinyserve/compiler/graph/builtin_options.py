# SPDX-License-Identifier: Apache-2.0
"""An operator's options as the file holds them, behind the ``Options`` protocol of the graph."""

from __future__ import annotations

from collections.abc import Sequence

from tinyserve.compiler.graph.flatbuffer import Table


class FileOptions:
    """Options from a FlatBuffers table (None where the operator has none) with fields of these names, and
    a custom operator's bytes.

    Values are read and checked when they are asked for; malformed ones raise ModelError.
    """

    def __init__(self, table: Table | None, fields: Sequence[str] = (), custom: bytes = b"") -> None:
        self._table = table
        self._fields = fields
        self._custom = custom

    def _slot(self, field: str) -> int:
        """The field's number in the table. ValueError for one that the schema does not have: a bug."""
        return self._fields.index(field)

    def boolean(self, field: str, default: bool = False) -> bool:
        return default if self._table is None else bool(self._table.scalar(self._slot(field), "B", default))

    def int8(self, field: str, default: int = 0) -> int:
        return default if self._table is None else int(self._table.scalar(self._slot(field), "b", default))

    def int32(self, field: str, default: int = 0) -> int:
        return default if self._table is None else int(self._table.scalar(self._slot(field), "i", default))

    def float32(self, field: str, default: float = 0.0) -> float:
        return default if self._table is None else float(self._table.scalar(self._slot(field), "f", default))

    def string(self, field: str, default: str = "") -> str:
        return default if self._table is None else self._table.string(self._slot(field), default)

    @property
    def custom(self) -> bytes:
        return self._custom


NO_OPTIONS = FileOptions(None)
"""The options of operators that passes make."""
