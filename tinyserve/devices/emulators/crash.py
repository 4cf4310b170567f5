# SPDX-License-Identifier: Apache-2.0
"""What happened when emulated firmware crashed, in words: where, what it touched, by which instruction."""

from __future__ import annotations

import re
from dataclasses import dataclass

import capstone
import unicorn
from unicorn import arm_const, riscv_const

from tinyserve.boards.types import Board, Region
from tinyserve.devices.symbols import Symbols

_READS = (unicorn.UC_MEM_READ_UNMAPPED, unicorn.UC_MEM_READ_PROT)
_WRITES = (unicorn.UC_MEM_WRITE_UNMAPPED, unicorn.UC_MEM_WRITE_PROT)
_REGISTER = re.compile(r"\b(r\d+|sp|lr|sb|sl|fp|ip|[ast]\d+|ra|gp|tp)\b")

# Exception numbers of QEMU's Arm and RISC-V cores (target/arm/cpu.h, target/riscv/cpu_bits.h).
_ARM_EXCEPTIONS = {
    1: "executed an undefined instruction",
    2: "executed SVC, which nothing handles",
    3: "jumped to an address without code",
    4: "accessed memory unaligned, which this core does not do",
    7: "executed a breakpoint",
    17: "used a coprocessor (FPU) that is off",
    18: "left Thumb state: it jumped to an even address",
}
_RISCV_EXCEPTIONS = {
    2: "executed an undefined instruction",
    3: "executed a breakpoint",
    4: "read memory unaligned",
    6: "wrote memory unaligned",
    8: "executed ECALL, which nothing handles",
    11: "executed ECALL, which nothing handles",
}


@dataclass(frozen=True)
class Access:
    """A memory access that the emulator refused; ``kind`` is Unicorn's UC_MEM_* constant."""

    kind: int
    address: int
    bytes: int


@dataclass(frozen=True)
class Crash:
    """``place`` is 'function (file:line)'; ``what`` says what the firmware did there."""

    place: str
    what: str
    instruction: str
    caller: str
    address: int | None

    def __str__(self) -> str:
        by = f" by `{self.instruction}`" if self.instruction else ""
        caller = f", called from {self.caller}" if self.caller else ""
        return f"the firmware crashed in {self.place}{caller}: it {self.what}{by}"


def explain(
    error: unicorn.UcError,
    pc: int,
    *,
    access: Access | None,
    exception: int | None,
    uc: unicorn.Uc,
    symbols: Symbols,
    board: Board,
) -> Crash:
    """The crash that ended a run at ``pc``: the ``access`` refused or QEMU's ``exception`` number."""
    riscv = board.core.port == "riscv"
    # A byte back is within the call that set the link register.
    lr = (int(uc.reg_read(riscv_const.UC_RISCV_REG_RA if riscv else arm_const.UC_ARM_REG_LR)) & ~1) - 1
    sp = int(uc.reg_read(riscv_const.UC_RISCV_REG_SP if riscv else arm_const.UC_ARM_REG_SP))
    caller = symbols.place(lr) if symbols.function(lr) not in (None, symbols.function(pc)) else ""
    if access is not None:
        what = _access_words(access, sp, symbols, board)
    elif exception is not None:
        table = _RISCV_EXCEPTIONS if riscv else _ARM_EXCEPTIONS
        what = table.get(exception, f"raised exception {exception}")
        if riscv and exception == 2:
            return Crash(symbols.place(pc), what, "", caller, None)  # pc is already behind the instruction
    elif error.errno == unicorn.UC_ERR_INSN_INVALID:
        what = "executed an undefined instruction"
    else:
        what = f"stopped the emulator: {error}"
    return Crash(
        symbols.place(pc), what, _instruction(uc, pc, riscv), caller, access.address if access else None
    )


def _access_words(access: Access, sp: int, symbols: Symbols, board: Board) -> str:
    at = f"{access.address:#010x} ({_region(access.address, board)})"
    if access.kind not in _READS + _WRITES:
        return f"jumped to {at}"
    verb = "read" if access.kind in _READS else "wrote"
    words = f"{verb} {access.bytes} bytes at {at}"
    bottom = symbols.values.get("__stack_bottom")
    if bottom is not None and access.address < bottom and abs(access.address - sp) < 1 << 16:
        words = f"overflowed its stack: it {words}, below __stack_bottom at {bottom:#010x},"
    return words


def _region(address: int, board: Board) -> str:
    further = [(memory.name, memory) for memory in board.memory if memory.holds]
    for name, region in (("flash, read-only", board.flash), ("RAM", board.ram), *further):
        if region and region.origin <= address < region.origin + region.bytes:
            return name
    distance = [
        f"{address - region.origin - region.bytes} bytes behind the end of {name}"
        if address >= region.origin + region.bytes
        else f"{region.origin - address} bytes before {name}"
        for name, region in (("flash", board.flash), ("RAM", board.ram))
        if region and _near(address, region)
    ]
    return distance[0] if distance else "no memory there"


def _near(address: int, region: Region) -> bool:
    return -(1 << 20) < address - region.origin < region.bytes + (1 << 20)


def _instruction(uc: unicorn.Uc, pc: int, riscv: bool) -> str:
    """The instruction at ``pc`` with the values of the registers that it names."""
    try:
        code = bytes(uc.mem_read(pc, 4))
    except unicorn.UcError:
        return ""
    if riscv:
        engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)
    else:
        engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    for _, _, mnemonic, operands in engine.disasm_lite(code, pc, 1):
        names = dict.fromkeys(_REGISTER.findall(operands))
        values = ", ".join(f"{name}={_value(uc, name, riscv):#x}" for name in names)
        return f"{mnemonic} {operands}".strip() + (f"` with `{values}" if values else "")
    return ""


def _value(uc: unicorn.Uc, name: str, riscv: bool) -> int:
    constant = f"UC_RISCV_REG_{name.upper()}" if riscv else f"UC_ARM_REG_{name.upper()}"
    return int(uc.reg_read(getattr(riscv_const if riscv else arm_const, constant))) & 0xFFFFFFFF
