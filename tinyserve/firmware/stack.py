# SPDX-License-Identifier: Apache-2.0
"""The deepest stack of a firmware, found without running it: frame sizes and the call graph, from the ELF.

Frame sizes come from the compiler's .stack_sizes section where it wrote one (clang), else from the
instructions that move the stack pointer. Calls are decoded from the machine code. An indirect call is taken
to reach every function whose address lies in a constant of the same part of the firmware (model, protocol);
recursion and a call into nowhere known make the result a lower bound.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyserve.compiler.emit.kernel_files import unversioned
from tinyserve.firmware import riscv_code, thumb_code
from tinyserve.firmware.code import Transfer

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

_EM_ARM = "EM_ARM"
_LAYER_TABLES = ("layer_functions", "layer_rows")  # in model.c, for profiles and time slices
_LAYER_CALLERS = ("_invoke_layer", "_step")
_STEP_TABLES = "_stages"  # how the names of tables end whose functions take a step of layers by rows
_STEP_CALLER = "ts_row_band_"  # the driver; what calls it has it inlined, or not


@dataclass(frozen=True)
class StackReport:
    """Stack bytes of one invoke and of the whole firmware (from reset), with the deepest chain of calls.

    ``complete`` is False where recursion or an unknown target was met: the figures are lower bounds then.
    """

    invoke_bytes: int
    total_bytes: int
    invoke_path: tuple[str, ...]
    complete: bool


@dataclass
class _Function:
    name: str
    address: int
    size: int
    frame: int = 0
    calls: set[int] = field(default_factory=set)
    indirect: bool = False


def worst_case(elf: Path, model_name: str) -> StackReport | None:
    """The stack need of a firmware, None where it has no invoke (stripped)."""
    from elftools.elf.elffile import ELFFile  # an extra: a plain install compiles without it

    with elf.open("rb") as file:
        image = _Image(ELFFile(file), f"ts_{model_name}_")
    invoke = image.by_name.get(f"ts_{model_name}_invoke")
    if invoke is None:
        return None
    walk = _Walk(image)
    feed = image.by_name.get(f"ts_{model_name}_feed")  # of an input that is fed by rows: most runs there
    begins = [invoke.address, *([feed.address] if feed else [])]
    depth, path = max(map(walk.deepest, begins), key=lambda found: found[0])
    complete = walk.complete
    reset = image.by_name.get("Reset_Handler")
    total = walk.deepest(reset.address)[0] if reset else depth
    return StackReport(depth, total, path, complete)


class _Image:
    """Functions of an ELF with frames and calls."""

    def __init__(self, elf: ELFFile, prefix: str) -> None:
        from elftools.elf.sections import SymbolTableSection

        arm = elf["e_machine"] == _EM_ARM
        decoder = thumb_code if arm else riscv_code
        self._thumb = int(arm)
        self._prefix = prefix
        self._sections = [
            (s["sh_addr"], s.data())
            for s in elf.iter_sections()
            if s["sh_flags"] & 2 and s["sh_type"] == "SHT_PROGBITS"
        ]
        symbols = elf.get_section_by_name(".symtab")
        entries = list(symbols.iter_symbols()) if isinstance(symbols, SymbolTableSection) else []
        self.functions: dict[int, _Function] = {}
        for entry in entries:
            if entry["st_info"]["type"] == "STT_FUNC" and entry["st_shndx"] != "SHN_UNDEF":
                address = entry["st_value"] & ~1 if arm else entry["st_value"]
                self.functions.setdefault(address, _Function(entry.name, address, entry["st_size"]))
        self.by_name = {unversioned(f.name): f for f in self.functions.values()}
        _give_sizes(self.functions, [address + len(data) for address, data in self._sections])
        data_marks = sorted(e["st_value"] for e in entries if e.name.startswith("$d"))
        code_marks = sorted(e["st_value"] for e in entries if e.name.startswith(("$t", "$x")))
        for function in self.functions.values():
            code = self._bytes(function.address, _code_size(function, data_marks, code_marks))
            function.frame = decoder.frame_bytes(code)
            for transfer in decoder.transfers(code, function.address):
                self._add(function, transfer)
        self._table_targets = self._functions_in_tables(entries)
        for address, size in _stack_sizes(elf):
            if address & ~1 in self.functions:
                self.functions[address & ~1].frame = size

    def _add(self, function: _Function, transfer: Transfer) -> None:
        if transfer.target is None:
            function.indirect = True
        elif not function.address <= transfer.target < function.address + function.size:
            function.calls.add(transfer.target)

    def indirect_targets(self, function: _Function) -> set[int]:
        """What an indirect call in ``function`` can reach."""
        section = self._section(function.address)

        def stored_in(tables: str) -> set[int]:
            return self._table_targets.get((section, tables), set())

        if function.name.endswith(_LAYER_CALLERS):
            return stored_in("layers")
        steps = stored_in("steps")
        if function.address in steps or self._is_kernel(function):
            return stored_in("other")
        return stored_in("other") | steps

    def _is_kernel(self, function: _Function) -> bool:
        return function.name.startswith("ts_") and not function.name.startswith((self._prefix, _STEP_CALLER))

    def _section(self, address: int) -> int | None:
        for start, data in self._sections:
            if start <= address < start + len(data):
                return start
        return None

    def _bytes(self, address: int, size: int) -> bytes:
        for start, data in self._sections:
            if start <= address < start + len(data):
                return bytes(data[address - start : address - start + size])
        return b""

    def _functions_in_tables(self, entries: list[Any]) -> dict[tuple[int | None, str], set[int]]:
        """Functions whose address is stored in a constant of the same section.

        The key is that section and the kind of constant. Layers, and their rows, are called through their
        tables by ts_<name>_invoke_layer and _step alone, steps of layers by rows by the rows' driver: a
        kernel that calls through a pointer reaches neither, and no step another one. A number that happens
        to be an address counts too: the result is an upper bound.
        """
        found: dict[tuple[int | None, str], set[int]] = {}
        for entry in entries:
            if entry["st_info"]["type"] != "STT_OBJECT":
                continue
            section = self._section(entry["st_value"])
            data = self._bytes(entry["st_value"], entry["st_size"])
            for (word,) in struct.iter_unpack("<I", data[: len(data) // 4 * 4]):
                address = word & ~1
                if (
                    address in self.functions
                    and self._section(address) == section
                    and word & 1 == self._thumb
                ):
                    found.setdefault((section, _kind_of_table(entry.name)), set()).add(address)
        return found


def _kind_of_table(name: str) -> str:
    if name in _LAYER_TABLES:
        return "layers"
    return "steps" if name.endswith(_STEP_TABLES) else "other"


class _Walk:
    """Depth-first over the call graph. ``complete`` turns False where the result is a lower bound."""

    def __init__(self, image: _Image) -> None:
        self._image = image
        self._known: dict[int, tuple[int, tuple[str, ...]]] = {}
        self._open: set[int] = set()
        self.complete = True

    def deepest(self, address: int) -> tuple[int, tuple[str, ...]]:
        if address in self._known:
            return self._known[address]
        function = self._image.functions.get(address)
        if function is None or address in self._open:
            self.complete = False
            return 0, ()
        self._open.add(address)
        below: tuple[int, tuple[str, ...]] = (0, ())
        targets = set(function.calls)
        if function.indirect:
            targets |= self._image.indirect_targets(function)
        for target in sorted(targets):
            below = max(below, self.deepest(target), key=lambda item: item[0])
        self._open.discard(address)
        result = (function.frame + below[0], (unversioned(function.name), *below[1]))
        self._known[address] = result
        return result


def _give_sizes(functions: dict[int, _Function], section_ends: list[int]) -> None:
    """Assembly without .size directives: a function ends where the next one, or the section, begins."""
    starts = sorted({*functions, *section_ends})
    for function in functions.values():
        if function.size == 0:
            after = bisect_right(starts, function.address)
            function.size = starts[after] - function.address if after < len(starts) else 0


def _code_size(function: _Function, data_marks: list[int], code_marks: list[int]) -> int:
    """Bytes before the literal pool, where the rest of the function is one."""
    at = bisect_right(data_marks, function.address)
    if at < len(data_marks) and data_marks[at] < function.address + function.size:
        again = bisect_right(code_marks, data_marks[at])
        resumes = again < len(code_marks) and code_marks[again] < function.address + function.size
        if not resumes:
            return data_marks[at] - function.address
    return function.size


def _stack_sizes(elf: ELFFile) -> Iterator[tuple[int, int]]:
    """Entries of .stack_sizes: the address of a function, then its frame as ULEB128 (see LLVM)."""
    section = elf.get_section_by_name(".stack_sizes")
    data = section.data() if section else b""
    at = 0
    while at + 5 <= len(data):
        (address,) = struct.unpack_from("<I", data, at)
        at += 4
        size = shift = 0
        while at < len(data):
            byte = data[at]
            at += 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        yield address, size
