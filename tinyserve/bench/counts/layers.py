# SPDX-License-Identifier: Apache-2.0
"""Ticks per layer, beside what the compiler knows of each layer."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Protocol

from tinyserve.bench.result import ArenaBlock, Layer
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.names import short_name
from tinyserve.compiler.program import BandCall, Buffer, Constant, ControlCall, KernelCall, every_call
from tinyserve.errors import DeviceError
from tinyserve.words import counted


class LayerTicks(Protocol):
    """What a device says of one layer (dut.client)."""

    @property
    def index(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def ticks(self) -> int: ...


def layers_of(compiled: Compiled, ticks: Sequence[LayerTicks]) -> list[Layer]:
    """The device's profile with operator, MACs, kernel variant and traffic of each layer."""
    calls = compiled.program.calls
    if len(ticks) != len(calls):
        raise DeviceError(
            f"the device reports {counted(len(ticks), 'layer')}, the model has {len(calls)}",
            "build and flash it again",
        )
    return [
        Layer(
            index=measured.index,
            name=short_name(call.layer),
            op=call.op,
            ticks=measured.ticks,
            macs=call.macs,
            variant=call.variant,
            reason=call.reason,
            bytes_read=_bytes_read(call),
            bytes_written=sum(buffer.nbytes for buffer in call.writes if buffer.kind != "scratch"),
        )
        for measured, call in zip(ticks, calls, strict=True)
    ]


def _bytes_read(call: KernelCall) -> int:
    """Inputs and constants, each once: what a kernel with perfect reuse would read."""
    inner = [call] if isinstance(call, ControlCall) else every_call([call])
    operands = [item for one in inner for item in (*one.args, *one.fields.values())]
    constants = {id(item): item.nbytes for item in operands if isinstance(item, Constant)}
    buffers = sum(buffer.nbytes for buffer in call.reads if buffer.kind != "scratch")
    return buffers + sum(constants.values())


def arena_blocks(compiled: Compiled) -> list[ArenaBlock]:
    """The memory plan as blocks over time, lowest offset first. Of kind "rows" are a few rows of a tensor."""
    plan = compiled.plan
    bands = [call for call in compiled.program.calls if isinstance(call, BandCall)]
    rows = {id(arg) for band in bands for arg in band.args[: len(band.windows)]}
    blocks = [
        ArenaBlock(
            short_name(buffer.name), "rows" if _is_rows(buffer, rows) else buffer.kind, offset, buffer.nbytes,
            plan.lifetimes[buffer].first, plan.lifetimes[buffer].last,
        )
        for buffer, offset in plan.offsets.items()
    ]  # fmt: skip
    return sorted(blocks, key=lambda block: (block.offset, block.first, block.name))


def _is_rows(buffer: Buffer, windows: Container[int]) -> bool:
    """Whether it is the window of a tensor that is never whole."""
    return buffer.kind == "scratch" and id(buffer) in windows
