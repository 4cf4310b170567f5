# SPDX-License-Identifier: Apache-2.0
"""Cycle estimates: instruction counts per basic block, priced with the core's published timing.

Sources: Arm Cortex-M0 and M0+ Technical Reference Manuals, "Instruction set summary"; Cortex-M3 and M4
Technical Reference Manuals, "Processor instruction timings" and "Floating-point instruction timing". A taken
branch costs a pipeline refill P of 1 to 3 cycles on M3 and M4, which gives the range. M7 issues two
instructions at a time and M33 folds some: their ranges are rough. Memory is taken to answer without wait
states; where the board has flash wait states, the upper end adds them at each taken branch, where a prefetch
buffer starts again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tinyserve.errors import ToolError

if TYPE_CHECKING:
    from capstone import CsInsn


class Block(Protocol):
    """A straight run of instructions and how often it ran (devices.monitor.Block)."""

    @property
    def address(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def instructions(self) -> int: ...
    @property
    def count(self) -> int: ...


class Code(Protocol):
    """Where the instructions' bytes are read from (devices.unicorn.Machine)."""

    def read_memory(self, address: int, size: int) -> bytes: ...


@dataclass(frozen=True)
class Timing:
    """Cycles by kind of instruction. ``(low, high)`` where the manual gives a range.

    ``refill``: added by a taken branch. ``load`` and ``store``: a single transfer; ``pipelined`` says that a
    load right after a load takes one cycle less. ``scale`` widens the sum of cores that are not
    described by a table alone.
    """

    name: str
    refill: tuple[float, float]
    load: float = 2
    store: float = 2
    pipelined: bool = False
    mla: float = 1
    long_multiply: tuple[float, float] = (1, 1)
    divide: tuple[float, float] = (2, 12)
    call: float = 0  # a BL beyond a branch
    scale: tuple[float, float] = (1, 1)


_M4 = Timing("cortex-m4", refill=(1, 3), store=1, pipelined=True)
TIMINGS: dict[str, Timing] = {
    "cortex-m0": Timing("cortex-m0", refill=(2, 2), call=1),
    "cortex-m0plus": Timing("cortex-m0plus", refill=(1, 1), call=1),
    "cortex-m3": Timing(
        "cortex-m3", refill=(1, 3), store=1, pipelined=True, mla=2, long_multiply=(3, 7)
    ),
    "cortex-m4": _M4,
    "cortex-m33": Timing("cortex-m33 (rough)", refill=(1, 3), store=1, pipelined=True, scale=(0.8, 1.1)),
    "cortex-m7": Timing("cortex-m7 (rough)", refill=(0, 2), load=1, store=1, scale=(0.55, 1.0)),
}  # fmt: skip


@dataclass(frozen=True)
class CycleEstimate:
    """A range of cycles, and the model that it came from."""

    low: float
    high: float
    model: str


def estimate(blocks: Sequence[Block], code: Code, core: str, wait_states: int = 0) -> CycleEstimate | None:
    """Cycles of the blocks on ``core`` (a key of TIMINGS; None for any other).

    ``wait_states`` are the board's flash wait states. Raises ToolError without capstone.
    """
    timing = TIMINGS.get(core)
    if timing is None:
        return None
    disassembler = _Disassembler()
    decoded = [disassembler.decode(code.read_memory(b.address, b.bytes), b.address) for b in blocks]
    flow = _Flow(blocks, decoded)
    low = high = 0.0
    for block, instructions in zip(blocks, decoded, strict=True):
        cheap, dear = _straight(instructions, timing)
        least, most = flow.taken(block, instructions)
        low += block.count * cheap + least * timing.refill[0]
        high += block.count * dear + most * (timing.refill[1] + wait_states)
    waits = f", flash wait states 0–{wait_states}" if wait_states else ", no wait states"
    return CycleEstimate(low * timing.scale[0], high * timing.scale[1], f"{timing.name} timing table{waits}")


class _Disassembler:
    """Thumb instructions of one block after the other."""

    def __init__(self) -> None:
        try:
            import capstone
        except ImportError as error:
            raise ToolError("cycle estimates need capstone", "pip install 'tinyserve[embedded]'") from error
        mode = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8
        self._engine = capstone.Cs(capstone.CS_ARCH_ARM, mode)
        self._engine.detail = True
        self._engine.skipdata = True

    def decode(self, data: bytes, address: int) -> list[CsInsn]:
        return list(self._engine.disasm(data, address))


def _straight(instructions: Sequence[CsInsn], timing: Timing) -> tuple[float, float]:
    """Cycles of a block without the refill of the branch that may end it."""
    low = high = 0.0
    after_load = False
    for instruction in instructions:
        cheap, dear = _cycles(instruction, timing)
        is_load = instruction.mnemonic.startswith(("ldr", "vldr"))
        if timing.pipelined and after_load and is_load:
            cheap, dear = cheap - 1, dear - 1
        low, high = low + cheap, high + dear
        after_load = is_load
    return low, high


_LONG = ("umull", "smull", "umlal", "smlal", "umaal")
_FLOAT_CYCLES = {"vdiv": 14, "vsqrt": 14, "vmla": 3, "vmls": 3, "vfma": 3, "vfms": 3, "vnmla": 3, "vnmls": 3}


def _cycles(instruction: CsInsn, timing: Timing) -> tuple[float, float]:
    """Lowest and highest cycles of one instruction. What no rule names takes one cycle."""
    name = instruction.mnemonic
    stem = name.split(".")[0]
    cost: float = 1
    if stem.startswith(("ldm", "pop", "push", "stm", "vldm", "vstm", "vpop", "vpush")):
        cost = 1 + _registers(instruction)
    elif stem.startswith("ldrd"):
        cost = 1 + timing.load
    elif stem.startswith("strd"):
        cost = 1 + timing.store
    elif stem.startswith(("ldr", "vldr")):
        cost = timing.load
    elif stem.startswith(("str", "vstr")):
        cost = timing.store
    elif stem.startswith(("udiv", "sdiv")):
        return timing.divide
    elif stem.startswith(_LONG) and not stem.startswith("smlald"):
        return timing.long_multiply
    elif stem.startswith(("mla", "mls")):
        cost = timing.mla
    elif stem in ("bl", "blx"):
        cost = 1 + timing.call
    elif stem.startswith(("tbb", "tbh")):
        cost = 2
    elif stem[:5] in _FLOAT_CYCLES or stem[:4] in _FLOAT_CYCLES:
        cost = _FLOAT_CYCLES.get(stem[:4]) or _FLOAT_CYCLES[stem[:5]]
    return cost, cost


def _registers(instruction: CsInsn) -> int:
    """Registers that a multiple transfer moves: all operands but a base register."""
    based = instruction.mnemonic.startswith(("ldm", "stm", "vldm", "vstm"))
    return len(instruction.operands) - (1 if based else 0)


_BRANCHES = ("b", "bl", "blx", "bx", "tbb", "tbh")


class _Flow:
    """How often blocks were entered, and which addresses branches jump to."""

    def __init__(self, blocks: Sequence[Block], decoded: Sequence[Sequence[CsInsn]]) -> None:
        self._entered: dict[int, int] = defaultdict(int)
        for block in blocks:
            self._entered[block.address] += block.count
        last = [instructions[-1] for instructions in decoded if instructions]
        self._targets = {_target(instruction) for instruction in last}

    def taken(self, block: Block, instructions: Sequence[CsInsn]) -> tuple[int, int]:
        """How often at least and at most the block ended in a taken branch.

        A conditional branch fell through at most as often as the next address was entered, and exactly as
        often where no other branch jumps there.
        """
        if not instructions:
            return 0, 0
        stem = _stem(instructions[-1])
        if _is_conditional(stem):
            following = block.address + block.bytes
            fell_through = min(block.count, self._entered[following])
            most = block.count if following in self._targets else block.count - fell_through
            return block.count - fell_through, most
        writes_pc = "pc" in instructions[-1].op_str and stem.startswith(("pop", "ldm", "ldr", "mov", "add"))
        return (block.count, block.count) if stem in _BRANCHES or writes_pc else (0, 0)


def _stem(instruction: CsInsn) -> str:
    return str(instruction.mnemonic).split(".")[0]


def _is_conditional(stem: str) -> bool:
    """B<cc> or CBZ/CBNZ; not BLX, BIC, BFI, BFC, which look like B<cc>."""
    return stem in ("cbz", "cbnz") or (len(stem) == 3 and stem[0] == "b" and stem not in _NO_BRANCH)


_NO_BRANCH = ("blx", "bic", "bfi", "bfc")


def _target(instruction: CsInsn) -> int:
    """Where a direct branch goes; -1 for anything else."""
    stem = _stem(instruction)
    if stem not in ("b", "bl") and not _is_conditional(stem):
        return -1
    place = instruction.op_str.rsplit("#", 1)[-1]
    return int(place, 0) if place.startswith("0x") else -1
