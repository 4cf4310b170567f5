# SPDX-License-Identifier: Apache-2.0
"""Calls single C functions on an emulated core: sources in, registers out."""

from __future__ import annotations

from pathlib import Path

import unicorn
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import arm_const, riscv_const

from tinyserve.boards.catalog import cores
from tinyserve.firmware.process import run_all
from tinyserve.firmware.toolchain import toolchain_for

_CODE, _CODE_BYTES = 0x10000, 0x20000
_STACK_TOP, _STACK_BYTES = 0x20010000, 0x10000
_RETURN = 0x1F000  # a page of the code region that holds nothing
_DATA, _DATA_BYTES = 0x20020000, 0x10000
_MAX_INSTRUCTIONS = 1_000_000
_SCRIPT = f"""SECTIONS {{
    . = {_CODE:#x};
    .text : {{ KEEP(*(.text .text.*)) *(.rodata .rodata.*) }}
    .stack_sizes (INFO) : {{ *(.stack_sizes) }}
    /DISCARD/ : {{ *(.ARM.exidx*) }}
}}
"""


class TargetFunctions:
    """The functions of some C files, compiled for a core and ready to be called in Unicorn."""

    def __init__(self, core_name: str, sources: list[Path], directory: Path) -> None:
        core = cores()[core_name]
        self.is_arm = core.port == "cortex_m"
        tools = toolchain_for(core)
        base = [*tools.compiler, *tools.target_flags]
        objects = [directory / f"{path.stem}.o" for path in sources]
        compiles = [
            [*base, *tools.compile_flags, "-O2", "-c", str(source), "-o", str(made)]
            for source, made in zip(sources, objects, strict=True)
        ]
        elf = directory / "functions.elf"
        script = directory / "functions.ld"
        script.write_text(_SCRIPT)
        link = [*base, "-nostdlib", "-T", str(script), "-Wl,--entry=0", *map(str, objects), "-o", str(elf)]
        for finished in [*run_all(compiles, directory, 120), *run_all([link], directory, 120)]:
            assert finished.status == 0, finished.output
        self._emulator = self._start(core.unicorn_cpu)
        self._load(elf)

    def _start(self, cpu: str) -> unicorn.Uc:
        if self.is_arm:
            emulator = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
            emulator.ctl_set_cpu_model(getattr(arm_const, f"UC_CPU_ARM_{cpu}"))
        else:
            emulator = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        emulator.mem_map(_CODE, _CODE_BYTES)
        emulator.mem_map(_STACK_TOP - _STACK_BYTES, _STACK_BYTES)
        emulator.mem_map(_DATA, _DATA_BYTES)
        return emulator

    def place(self, *values: bytes) -> list[int]:
        """Lays values into memory side by side, for functions that take pointers; where each begins."""
        addresses, at = [], _DATA
        for value in values:
            self._emulator.mem_write(at, value)
            addresses.append(at)
            at += -(-len(value) // 8) * 8
        return addresses

    def read(self, address: int, count: int) -> bytes:
        return bytes(self._emulator.mem_read(address, count))

    def stack_bytes(self, name: str, *arguments: int, limit: int = _MAX_INSTRUCTIONS) -> int:
        """How much of a painted stack a call writes over."""
        paint = b"\xa5" * _STACK_BYTES
        self._emulator.mem_write(_STACK_TOP - _STACK_BYTES, paint)
        self.call(name, *arguments, limit=limit)
        stack = self.read(_STACK_TOP - _STACK_BYTES, _STACK_BYTES)
        return len(stack) - next(index for index, byte in enumerate(stack) if byte != 0xA5)

    def _load(self, path: Path) -> None:
        with path.open("rb") as file:
            elf = ELFFile(file)
            for segment in elf.iter_segments():
                if segment["p_type"] == "PT_LOAD" and _CODE <= segment["p_vaddr"] < _CODE + _CODE_BYTES:
                    self._emulator.mem_write(segment["p_vaddr"], segment.data())
            table = elf.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            self._symbols = {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}

    def call(self, name: str, *arguments: int, limit: int = _MAX_INSTRUCTIONS) -> tuple[int, ...]:
        """The first four result registers after calling ``name`` with words in the argument registers.

        A call that executes more than ``limit`` instructions fails.
        """
        uc = self._emulator
        if self.is_arm:
            first, stack, link = arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_LR
        else:
            first, stack, link = (
                riscv_const.UC_RISCV_REG_A0,
                riscv_const.UC_RISCV_REG_SP,
                riscv_const.UC_RISCV_REG_RA,
            )
        for index, value in enumerate(arguments):
            uc.reg_write(first + index, value)
        uc.reg_write(stack, _STACK_TOP)
        uc.reg_write(link, _RETURN | self.is_arm)
        uc.emu_start(self._symbols[name] | self.is_arm, _RETURN, count=limit)
        assert uc.reg_read(stack) == _STACK_TOP, f"{name} did not end, or left the stack unbalanced"
        return tuple(int(uc.reg_read(first + index)) & 0xFFFFFFFF for index in range(4))
