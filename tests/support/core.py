# SPDX-License-Identifier: Apache-2.0
"""Runs C and assembly functions on an emulated core, one call at a time, and counts their instructions.

Memory is mapped by the page, and each block of a caller ends at the end of its pages, so that an access
beyond it faults.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import capstone
import unicorn
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import arm_const, riscv_const

from tests.support.places import CHECKOUT

KERNELS = CHECKOUT / "tinyserve" / "kernels"
_SHIM = CHECKOUT / "firmware_templates" / "shim"
SHIM_SOURCES = (_SHIM / "integer.c", _SHIM / "memory.c")


@dataclass(frozen=True)
class Architecture:
    """Registers by the calling convention, as Unicorn numbers them, and how code addresses are marked."""

    unicorn: tuple[int, int]
    capstone: tuple[int, int]
    arguments: tuple[int, ...]
    saved: tuple[int, ...]
    stack: int
    link: int
    counter: int
    code_bit: int


ARM = Architecture(
    unicorn=(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB),
    capstone=(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS),
    arguments=tuple(range(arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R3 + 1)),
    saved=tuple(range(arm_const.UC_ARM_REG_R4, arm_const.UC_ARM_REG_R11 + 1)),
    stack=arm_const.UC_ARM_REG_SP,
    link=arm_const.UC_ARM_REG_LR,
    counter=arm_const.UC_ARM_REG_PC,
    code_bit=1,
)
RISCV = Architecture(
    unicorn=(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32),
    capstone=(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC),
    arguments=tuple(range(riscv_const.UC_RISCV_REG_A0, riscv_const.UC_RISCV_REG_A3 + 1)),
    saved=(
        riscv_const.UC_RISCV_REG_S0,
        riscv_const.UC_RISCV_REG_S1,
        *range(riscv_const.UC_RISCV_REG_S2, riscv_const.UC_RISCV_REG_S11 + 1),
    ),
    stack=riscv_const.UC_RISCV_REG_SP,
    link=riscv_const.UC_RISCV_REG_RA,
    counter=riscv_const.UC_RISCV_REG_PC,
    code_bit=0,
)


@dataclass(frozen=True)
class Cpu:
    """``zig``: target and CPU of the compiler. ``model``: Unicorn's number, None for its default."""

    architecture: Architecture
    zig: tuple[str, str]
    model: int | None


CPUS = {
    "cortex-m0": Cpu(ARM, ("thumb-freestanding-eabi", "cortex_m0"), arm_const.UC_CPU_ARM_CORTEX_M0),
    "cortex-m3": Cpu(ARM, ("thumb-freestanding-eabi", "cortex_m3"), arm_const.UC_CPU_ARM_CORTEX_M3),
    "cortex-m4": Cpu(
        ARM, ("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"), arm_const.UC_CPU_ARM_CORTEX_M4
    ),
    "cortex-m7": Cpu(
        ARM, ("thumb-freestanding-eabihf", "cortex_m7+fp_armv8d16"), arm_const.UC_CPU_ARM_CORTEX_M7
    ),
    "cortex-m33": Cpu(
        ARM, ("thumb-freestanding-eabihf", "cortex_m33+dsp+fp_armv8d16sp"), arm_const.UC_CPU_ARM_CORTEX_M33
    ),
    "rv32imc": Cpu(RISCV, ("riscv32-freestanding-none", "generic_rv32+m+c"), None),
}
_FLAGS = [
    "-std=c11", "-ffreestanding", "-O2", "-g", "-fomit-frame-pointer", "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables", "-ffunction-sections", "-fdata-sections", "-ffp-contract=off",
    "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Wno-unused-function",
]  # fmt: skip
_SCRIPT = """
SECTIONS {
  . = 0x10000; .text : { KEEP_FUNCTIONS *(.text*) *(.rodata*) }
  . = 0x20000000; .data : { *(.data*) *(.bss*) *(COMMON) }
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
}
"""
_PAGE = 0x1000
_STACK_TOP, _STACK_BYTES, _HEAP = 0x30010000, 0x10000, 0x60000000
_EXIT = 0x08000000
_FILL = 0xA5


def build(
    sources: Sequence[Path],
    directory: Path,
    keep: Sequence[str],
    cpu: str = "cortex-m4",
    defines: Sequence[str] = (),
) -> Path:
    """Compiles and links C and assembly for a core. ``keep``: functions to be called.

    Raises RuntimeError with the compiler's words.
    """
    target, mcpu = CPUS[cpu].zig
    script = directory / "link.ld"
    kept = " ".join(f"KEEP(*(.text.{name}))" for name in keep)
    script.write_text(_SCRIPT.replace("KEEP_FUNCTIONS", kept))
    elf = directory / f"{cpu}.elf"
    command = [
        sys.executable, "-m", "ziglang", "cc", "-target", target, f"-mcpu={mcpu}", *_FLAGS,
        "-nostdlib", "-rtlib=compiler-rt", "-I", str(KERNELS),
        "-T", str(script), "-Wl,--gc-sections", f"-Wl,--entry={keep[0]}", *(f"-D{name}" for name in defines),
        *map(str, [*sources, *SHIM_SOURCES]), "-o", str(elf),
    ]  # fmt: skip
    built = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if built.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{built.stderr[:6000]}")
    return elf


@dataclass
class Counts:
    """What one call executed: instructions, how often each basic block ran, the stack it used."""

    instructions: int = 0
    blocks: dict[tuple[int, int], int] = field(default_factory=dict)
    stack_bytes: int = 0


class CoreImage:
    """A linked image in an emulated core."""

    def __init__(self, elf: Path, cpu: str = "cortex-m4") -> None:
        self._architecture = CPUS[cpu].architecture
        self._uc = unicorn.Uc(*self._architecture.unicorn)
        model = CPUS[cpu].model
        if model is not None:
            self._uc.ctl_set_cpu_model(model)
        self.disassembler = capstone.Cs(*self._architecture.capstone)
        self._lengths: dict[tuple[int, int], int] = {}
        self._blocks: dict[tuple[int, int], int] = {}
        self._heap = _HEAP
        self.result = 0
        self._blocks_of_memory: list[tuple[int, int, int, int]] = []
        with elf.open("rb") as file:
            image = ELFFile(file)
            for segment in image.iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_memsz"]:
                    self._map(segment["p_vaddr"], segment["p_memsz"], bool(segment["p_flags"] & 2))
                    self._uc.mem_write(segment["p_vaddr"], segment.data())
            table = image.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            self.symbols = {s.name: (s["st_value"], s["st_size"]) for s in table.iter_symbols() if s.name}
        self._uc.mem_map(_STACK_TOP - _STACK_BYTES, _STACK_BYTES)
        self._uc.mem_map(_EXIT, _PAGE)
        self._uc.hook_add(unicorn.UC_HOOK_BLOCK, self._on_block)

    def _map(self, start: int, size: int, writable: bool) -> None:
        low = start & -_PAGE
        high = (start + size + _PAGE - 1) & -_PAGE
        access = unicorn.UC_PROT_ALL if writable else unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        self._uc.mem_map(low, high - low, access)

    def allocate(self, size: int, alignment: int = 4) -> int:
        """Memory whose last byte is as near to the end of mapped memory as the alignment allows."""
        room = max(1, -(-size // _PAGE)) * _PAGE
        self._uc.mem_map(self._heap, room)
        self._uc.mem_write(self._heap, bytes([_FILL]) * room)
        address = (self._heap + room - size) & -alignment
        self._blocks_of_memory.append((self._heap, room, address, size))
        self._heap += room + _PAGE
        return address

    def check_margins(self) -> None:
        """Raises RuntimeError where something was written beside allocated memory."""
        for start, room, address, size in self._blocks_of_memory:
            before, after = (
                self.read(start, address - start),
                self.read(address + size, start + room - address - size),
            )
            if before.strip(bytes([_FILL])) or after.strip(bytes([_FILL])):
                raise RuntimeError(f"bytes beside a block of {size} were written")

    def release(self) -> None:
        """Unmaps all that was allocated."""
        for start, room, _, _ in self._blocks_of_memory:
            self._uc.mem_unmap(start, room)
        self._blocks_of_memory.clear()
        self._heap = _HEAP

    def write(self, address: int, data: bytes) -> None:
        self._uc.mem_write(address, data)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._uc.mem_read(address, size))

    def call(self, function: str, *arguments: int) -> Counts:
        """Calls a function with up to four words. Raises UcError for a fault, RuntimeError for a hang."""
        uc, names = self._uc, self._architecture
        for register, value in zip(names.arguments, arguments, strict=False):
            uc.reg_write(register, value & 0xFFFFFFFF)
        saved = {register: 0x1000 + register for register in names.saved}
        for register, value in saved.items():
            uc.reg_write(register, value)
        uc.mem_write(_STACK_TOP - _STACK_BYTES, bytes([_FILL]) * _STACK_BYTES)
        uc.reg_write(names.stack, _STACK_TOP)
        uc.reg_write(names.link, _EXIT | names.code_bit)
        self._blocks = {}
        entry = self.symbols[function][0] | names.code_bit
        uc.emu_start(entry, _EXIT, count=0, timeout=60_000_000)
        if uc.reg_read(names.counter) & ~1 != _EXIT:
            raise RuntimeError(f"{function} did not return")
        self.result = uc.reg_read(names.arguments[0])
        assert uc.reg_read(names.stack) == _STACK_TOP, f"{function} lost the stack"
        for register, value in saved.items():
            assert uc.reg_read(register) == value, f"{function} did not restore a register"
        untouched = self.read(_STACK_TOP - _STACK_BYTES, _STACK_BYTES)
        stack = _STACK_BYTES - next((i for i, b in enumerate(untouched) if b != _FILL), _STACK_BYTES)
        instructions = sum(self._length(block) * runs for block, runs in self._blocks.items())
        return Counts(instructions, dict(self._blocks), stack)

    def _on_block(self, uc: unicorn.Uc, address: int, size: int, data: object) -> None:
        key = (address, size)
        self._blocks[key] = self._blocks.get(key, 0) + 1

    def _length(self, block: tuple[int, int]) -> int:
        if block[0] & ~1 == _EXIT:
            return 0
        if block not in self._lengths:
            self._lengths[block] = len(self.instructions(block))
        return self._lengths[block]

    def instructions(self, block: tuple[int, int]) -> list[capstone.CsInsn]:
        """The instructions of a basic block (address, bytes)."""
        code = self.read(block[0] & ~1, block[1])
        found = list(self.disassembler.disasm(code, block[0] & ~1))
        if sum(one.size for one in found) != block[1]:
            raise RuntimeError(f"block at {block[0]:#x} does not disassemble")
        return found
