# SPDX-License-Identifier: Apache-2.0
"""Names and source lines of addresses in a firmware ELF."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve.errors import FileSystemError, ToolError

if TYPE_CHECKING:  # imported where an ELF is read: a plain install compiles and inspects without pyelftools
    from elftools.dwarf.lineprogram import LineProgram
    from elftools.elf.elffile import ELFFile


@dataclass(frozen=True)
class Segment:
    """Bytes that the ELF loads at ``address`` (the load address: initialised data lies in flash)."""

    address: int
    data: bytes


class Symbols:
    """The symbols, segments and line table of one ELF. Addresses have no Thumb bit.

    Raises FileSystemError when the file can't be read and ToolError when it is no ELF.
    """

    def __init__(self, path: Path) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        self.path = path
        try:
            with path.open("rb") as file:
                self._read(ELFFile(file))
        except OSError as error:
            raise FileSystemError(
                f"{path}: cannot read the firmware: {error.strerror}", "build the firmware again"
            ) from error
        except ELFError as error:
            raise ToolError(
                f"{path}: not a firmware ELF file: {error}", "pass the .elf that `tinyserve build` wrote"
            ) from error

    def _read(self, elf: ELFFile) -> None:
        from elftools.elf.sections import SymbolTableSection

        self.machine: str = elf["e_machine"]
        self.entry: int = elf["e_entry"]
        self.segments = [
            Segment(segment["p_paddr"], segment.data())
            for segment in elf.iter_segments("PT_LOAD")
            if segment["p_filesz"]
        ]
        functions: dict[int, tuple[str, int]] = {}
        self.values: dict[str, int] = {}
        for table in elf.iter_sections():
            if not isinstance(table, SymbolTableSection):
                continue
            for symbol in table.iter_symbols():
                value = symbol["st_value"]
                if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF":
                    functions[value & ~1 if self.is_thumb else value] = (symbol.name, symbol["st_size"])
                elif symbol.name:
                    self.values[symbol.name] = value
        self._addresses = sorted(functions)
        self._functions = [functions[address] for address in self._addresses]

    @property
    def is_thumb(self) -> bool:
        return self.machine == "EM_ARM"

    def functions(self) -> list[tuple[int, str, int]]:
        """(address, name, bytes) of every function, by address."""
        pairs = zip(self._addresses, self._functions, strict=True)
        return [(address, name, size) for address, (name, size) in pairs]

    def address(self, name: str) -> int:
        """Address of a function. Raises ToolError where the firmware has none of that name."""
        for address, function in zip(self._addresses, self._functions, strict=True):
            if function[0] == name:
                return address
        raise ToolError(f"{self.path}: no function {name}", "build the firmware again")

    def function(self, address: int) -> str | None:
        """Name of the function that holds ``address``, None if none does."""
        index = bisect_right(self._addresses, address) - 1
        if index < 0:
            return None
        name, size = self._functions[index]
        # A function without a size (hand-written assembly) reaches to the next one.
        if size and address >= self._addresses[index] + size:
            return None
        return name

    def line(self, address: int) -> str | None:
        """``file:line`` of the instruction at ``address``, None without debug information for it."""
        index = bisect_right(self._lines, (address, "\U0010ffff")) - 1
        if index < 0:
            return None
        return self._lines[index][1] or None

    def place(self, address: int) -> str:
        """``function (file:line)`` as far as it is known, else the address."""
        function, line = self.function(address), self.line(address)
        if function is None:
            return f"no known function (address {address:#010x})"
        return f"{function} ({line})" if line else f"{function} (address {address:#010x})"

    def function_counts(self, blocks: Iterable[tuple[int, int]]) -> dict[str, int]:
        """Sums (address, count) pairs per function, largest first, equal ones by name; '?' collects what
        belongs to none."""
        counts: dict[str, int] = {}
        for address, count in blocks:
            name = self.function(address) or "?"
            counts[name] = counts.get(name, 0) + count
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @cached_property
    def _lines(self) -> list[tuple[int, str]]:
        """(first address, 'file:line') sorted by address; '' marks where a sequence of code ends."""
        from elftools.common.exceptions import DWARFError, ELFError
        from elftools.elf.elffile import ELFFile

        with self.path.open("rb") as file:
            elf = ELFFile(file)
            if not elf.has_dwarf_info():
                return []
            rows: list[tuple[int, str]] = []
            try:
                dwarf = elf.get_dwarf_info()
                for unit in dwarf.iter_CUs():
                    program = dwarf.line_program_for_CU(unit)
                    if program is not None:
                        rows += _rows(program)
            except (DWARFError, ELFError, KeyError):
                pass  # Half the lines are better than no message: the caller is explaining a crash.
        # Ends sort before starts at the same address, so that the start is what a look-up finds.
        return sorted(rows)


def _rows(program: LineProgram) -> list[tuple[int, str]]:
    rows = []
    first_file = 0 if program["version"] >= 5 else 1
    files = program["file_entry"]
    for entry in program.get_entries():
        state = entry.state
        if state is None or (state.line == 0 and not state.end_sequence):
            continue  # line 0: code that the compiler made up belongs to the line before
        index = state.file - first_file
        name = files[index].name.decode("utf-8", "replace") if 0 <= index < len(files) else "?"
        rows.append((state.address, "" if state.end_sequence else f"{name}:{state.line}"))
    return rows
