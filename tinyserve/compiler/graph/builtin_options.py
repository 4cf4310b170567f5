# SPDX-License-Identifier: Apache-2.0
"""An operator's options as the file holds them, behind the ``Options`` protocol of the graph."""

from __future__ import annotations

from tinyserve.compiler.graph.flatbuffer import Table


class FileOptions:
    """Options read from a FlatBuffers table (None where the operator has none) and a custom operator's bytes.

    Values are read and checked when they are asked for; malformed ones raise ModelError.
    """

    def __init__(self, table: Table | None, custom: bytes = b"") -> None:
        self._table = table
        self._custom = custom

    def boolean(self, field: int, default: bool = False) -> bool:
        return default if self._table is None else bool(self._table.scalar(field, "B", default))

    def int8(self, field: int, default: int = 0) -> int:
        return default if self._table is None else int(self._table.scalar(field, "b", default))

    def int32(self, field: int, default: int = 0) -> int:
        return default if self._table is None else int(self._table.scalar(field, "i", default))

    def float32(self, field: int, default: float = 0.0) -> float:
        return default if self._table is None else float(self._table.scalar(field, "f", default))

    def string(self, field: int, default: str = "") -> str:
        return default if self._table is None else self._table.string(field, default)

    def int32_vector(self, field: int) -> tuple[int, ...] | None:
        return None if self._table is None else self._table.integers(field)

    @property
    def custom(self) -> bytes:
        return self._custom


NO_OPTIONS = FileOptions(None)
"""The options of operators that passes make."""
