# SPDX-License-Identifier: Apache-2.0
"""How often one inference reads and writes each buffer and constant: what decides who gets the fast memory.

Estimates: what a kernel reads again from registers or a cache is not counted, and what its blocks share is
taken to be what most kernels share.
"""

from __future__ import annotations

from collections import defaultdict

from tinyserve.compiler.program import Buffer, Constant, ControlCall, KernelCall, Program

_SHARED = 4
"""Outputs that share a weight or an input that was read: rows, pixels or channels of a block."""
_WORD = 4


def words(program: Program) -> dict[Buffer | Constant, float]:
    """Words that one inference moves of each, about; of subgraphs what one turn of each moves."""
    moved: dict[Buffer | Constant, float] = defaultdict(float)
    for call in program.calls:
        _count(call, moved)
    return moved


def _count(call: KernelCall, moved: dict[Buffer | Constant, float]) -> None:
    if isinstance(call, ControlCall):
        moved[call.region] += sum(_touched(inner) for block in call.blocks for inner in block.calls)
    scratch = [buffer for buffer in call.writes if buffer.kind == "scratch" and buffer in call.reads]
    inputs = [buffer for buffer in call.reads if buffer.kind != "scratch"]
    constants = {
        id(one): one for one in [*call.args, *call.fields.values()] if isinstance(one, Constant)
    }.values()
    products = call.macs / _SHARED
    for buffer in call.writes:
        moved[buffer] += buffer.nbytes / _WORD
    for buffer in scratch:  # inputs are gathered there, and multiplied from there
        moved[buffer] += max(buffer.nbytes, products) / _WORD
    for buffer in inputs:
        moved[buffer] += (buffer.nbytes if scratch else max(buffer.nbytes, products)) / _WORD
    largest = max((one.nbytes for one in constants), default=0)
    for one in constants:
        share = products if one.nbytes == largest else 0.0
        moved[one] += max(one.nbytes, share) / _WORD


def _touched(call: KernelCall) -> float:
    return sum(buffer.nbytes for buffer in {*call.reads, *call.writes}) / _WORD
