# SPDX-License-Identifier: Apache-2.0
"""Layers that are the same code: the turns of an unrolled recurrent layer, repeated blocks.

A kernel is compiled anew for each layer, with the layer's parameters in it. Layers with the same parameters
need it once: those at the same places are one function, those at other places call one with their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tinyserve.compiler.program import (
    BandCall,
    Buffer,
    ControlCall,
    KernelCall,
    MemoryPlan,
    Operand,
    ParamValue,
    Program,
)

_Key = tuple[object, ...]


@dataclass(frozen=True)
class Sharing:
    """``same``: for a layer the earlier one whose function does the same with the same bytes. ``kernels``:
    for a layer the first of several, at different places, whose kernel calls differ in nothing else."""

    same: Mapping[KernelCall, KernelCall] = field(default_factory=dict)
    kernels: Mapping[KernelCall, KernelCall] = field(default_factory=dict)

    def function(self, call: KernelCall) -> KernelCall:
        """The layer whose function a layer is."""
        return self.same.get(call, call)


def sharing(program: Program, memory: MemoryPlan) -> Sharing:
    """What layers of the main graph share. Layers with blocks, bands or code of their own share nothing."""
    same: dict[KernelCall, KernelCall] = {}
    by_kernel: dict[_Key, dict[_Key, KernelCall]] = defaultdict(dict)
    for call in program.calls:
        if isinstance(call, ControlCall | BandCall) or call.code or call.params is None:
            continue
        kernel, places = _kernel(call, memory), tuple(_place(arg, memory) for arg in call.args)
        first = by_kernel[kernel].setdefault(places, call)
        if first is not call:
            same[call] = first
    kernels: dict[KernelCall, KernelCall] = {}
    for calls in by_kernel.values():
        if len(calls) > 1 and not any(_points_at_buffers(call) for call in calls.values()):
            kernels |= dict.fromkeys(calls.values(), next(iter(calls.values())))
    return Sharing(same, kernels)


def _kernel(call: KernelCall, memory: MemoryPlan) -> _Key:
    """Everything about a call but where in the arena its operands lie."""
    values = tuple((name, _value(value, memory)) for name, value in call.fields.items())
    operands = tuple(None if isinstance(arg, Buffer) else _place(arg, memory) for arg in call.args)
    sizes = tuple(arg.nbytes if isinstance(arg, Buffer) and arg.size else 0 for arg in call.args)
    return (call.function, values, operands, sizes, call.continues)


def _points_at_buffers(call: KernelCall) -> bool:
    return any(isinstance(value, Buffer) for value in call.fields.values())


def _value(value: ParamValue, memory: MemoryPlan) -> object:
    """A parameter as it can be compared: 1, 1.0 and True are three different ones in C."""
    if isinstance(value, tuple):
        return tuple(_value(one, memory) for one in value)
    if isinstance(value, int | float | str) or value is None:
        return type(value).__name__, repr(value)
    return _place(value, memory)


def _place(operand: Operand | None, memory: MemoryPlan) -> object:
    if isinstance(operand, Buffer):
        return memory.offsets[operand]
    return id(operand)
