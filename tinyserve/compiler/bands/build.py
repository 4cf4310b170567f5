# SPDX-License-Identifier: Apache-2.0
"""From layers that are to be a band to the call that runs them: each layer's kernel, once for each kind of
step.

A step of a layer is the layer itself on an image of fewer rows, so any kernel of any instruction set can be
part of a band: it is lowered as it always is, with the padding that the rows have above and below.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tinyserve.compiler.bands.distances import overlaps
from tinyserve.compiler.bands.schedule import ImpossibleError, Schedule
from tinyserve.compiler.bands.stages import Band, KernelCost, Kernels, Registry, Shape, cheapest, shape_of
from tinyserve.compiler.graph.rows import Share, Slab, height, row_axis, share_node, slab_node, takes_rows
from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.names import short_name
from tinyserve.compiler.ops.support.base import OpDef
from tinyserve.compiler.ops.support.four_bits import has_four_bits
from tinyserve.compiler.program import (
    BandCall,
    Buffer,
    KernelCall,
    Operand,
    RowStage,
    RowWindow,
)
from tinyserve.words import counted

MOST_KINDS = 16
_NOTES_PER_WINDOW, _NOTES_PER_STAGE = 4, 4  # bytes: ts_row_band_rows, ts_row_band_step


class BandLowering(Kernels, Protocol):
    """The lowering of the graph around a band."""

    def buffer(self, tensor: Tensor) -> Buffer: ...
    def scratch(self, name: str, nbytes: int, alignment: int = 4, *, size: str = "") -> Buffer: ...

    def slab_calls(
        self, node: Node, places: Mapping[Tensor, Operand], variant: str | None
    ) -> list[KernelCall]:
        """The calls of an operator whose inputs and output are at ``places``."""
        ...


def band_call(
    band: Band, nodes: Sequence[Node], kept: Collection[Tensor], registry: Registry, lowering: BandLowering
) -> BandCall:
    """The call that runs ``nodes`` by rows. ``kept``: tensors that are needed after it."""
    shape = shape_of(nodes, band.rows, kept, registry, band.fed, early=band.early)
    schedule = shape.simulate()
    buffers = [_buffer(shape, schedule, number, lowering) for number in range(len(shape.tensors))]
    stages, scratch, running = [], [], []
    named = dict(band.variants)
    for number, node in enumerate(nodes):
        records, working = _records(node, shape.slabs[number], named.get(number), registry, lowering)
        stages.append(_stage(node, shape, schedule, number, records))
        scratch.append(working)
        running.append(records.running)
    name = short_name(nodes[-1].output.name)
    size = _NOTES_PER_WINDOW * len(buffers) + _NOTES_PER_STAGE * len(stages)
    notes = lowering.scratch(f"{name}_steps", size)
    given = [b for b, window in zip(buffers, schedule.windows, strict=True) if window.given]
    made = [b for b, window in zip(buffers, schedule.windows, strict=True) if not window.given]
    used = set().union(*scratch) | {one for one in running if one is not None}
    working_buffers = sorted(used, key=lambda one: one.name)
    return BandCall(
        function="ts_row_band_run",
        header="row_band.h",
        params=None,
        args=[*buffers, notes],
        reads=given,
        writes=[*made, *working_buffers, notes],
        layer=name,
        op="BAND",
        comment=f"{counted(len(stages), 'layer')} by rows, from {short_name(nodes[0].output.name)} on",
        macs=sum(_macs(stage) for stage in stages),
        overlaps=overlaps(schedule, stages, buffers, scratch, running),
        variant="rows",
        reason=f"{counted(len(stages), 'layer')}, {counted(len(schedule.events), 'step')}",
        windows=tuple(
            RowWindow(
                window.height, window.row_bytes, window.places, window.given, keeper, window.fed, window.early
            )
            for window, keeper in zip(schedule.windows, schedule.keepers, strict=True)
        ),
        stages=tuple(stages),
    )


def _macs(stage: RowStage) -> int:
    return sum(sum(call.macs for call in stage.records[stage.kind(step)]) for step in range(stage.steps))


def _buffer(shape: Shape, schedule: Schedule, number: int, lowering: BandLowering) -> Buffer:
    """The place of a tensor's rows: its own buffer where it is whole before or after the band."""
    tensor, window = shape.tensors[number], schedule.windows[number]
    if window.given or window.kept:
        return lowering.buffer(tensor)
    nbytes = window.places * window.row_bytes
    return lowering.scratch(f"{short_name(tensor.name)}_rows", nbytes, window.alignment)


@dataclass(frozen=True)
class _Records:
    """The calls of a layer by the kind of step, how many kinds come first, where its rows are, and what it
    keeps from its first step to its last."""

    calls: tuple[tuple[KernelCall, ...], ...]
    top: int
    places: tuple[Buffer, ...]
    running: Buffer | None


def _stage(node: Node, shape: Shape, schedule: Schedule, number: int, records: _Records) -> RowStage:
    stage = shape.stages[number]
    return RowStage(
        node.output.name, node.name, stage.inputs, stage.output, stage.rows, stage.steps, records.top,
        records.calls, records.places, schedule.wakes[number], schedule.waiting[number],
    )  # fmt: skip


def _records(
    node: Node, slabs: Sequence[Slab], named: str | None, registry: Registry, lowering: BandLowering
) -> tuple[_Records, set[Buffer]]:
    """The kernels of a layer, of the variant that is ``named`` or of the cheapest, and what they work in."""
    kinds, top = kinds_of(slabs)
    places = tuple(
        Buffer(f"rows_of_{short_name(tensor.name)}", 0, tensor.dtype, tensor=tensor)
        for tensor in (*(t for t in takes_rows(node) if t is not None), node.output)
    )
    operator = registry(node)
    kept, running = _running(node, slabs, operator, lowering)
    small = [small_node(node, slab, operator, kept) for slab in kinds]
    whole = None if kept is not None else node
    offers = _offers(whole, small, [slabs.count(kind) for kind in kinds], lowering)
    if named is not None and named not in offers:
        raise ImpossibleError(f"a kind of steps has no kernel {named}")
    variant = named or (cheapest(offers) if offers else None)
    if variant is None and has_four_bits(node):
        raise ImpossibleError("its weights of four bits are unpacked for each call")
    around: dict[Tensor, Operand] = {} if kept is None or running is None else {kept: running}
    records = [lowering.slab_calls(one, _at_places(node, one, places) | around, variant) for one in small]
    known = places if running is None else (*places, running)
    unified, working = _unified(records, known, short_name(node.output.name), lowering)
    return _Records(unified, top, places, running), working


def _running(
    node: Node, slabs: Sequence[Slab], operator: OpDef, lowering: BandLowering
) -> tuple[Tensor | None, Buffer | None]:
    """What a layer that gathers rows keeps between its steps, and where."""
    if not slabs[0].begins:
        return None, None
    kept = operator.kept_between(node)
    name = f"{short_name(node.output.name)}_running"
    return kept, lowering.scratch(name, kept.nbytes, max(4, kept.dtype.itemsize))


def small_node(node: Node, slab: Slab, operator: OpDef, running: Tensor | None) -> Node:
    """The operator on some rows. ``running``: what it keeps between steps where it gathers rows."""
    if running is None:
        return slab_node(node, slab, operator.slab_attributes(node, slab))
    source = next(tensor for tensor in takes_rows(node) if tensor is not None)
    share = Share(slab.begins, slab.ends, height(source), row_axis(source), running)
    return share_node(node, slab, operator.share_attributes(node, share))


def _at_places(node: Node, small: Node, places: Sequence[Buffer]) -> dict[Tensor, Operand]:
    """Where the operands of a step are: its inputs' tensors in the order of ``places``, and its output."""
    found: dict[Tensor, Operand] = {}
    read = [
        cut
        for cut, rows in zip(small.inputs, takes_rows(node), strict=True)
        if rows is not None and cut is not None
    ]
    for tensor, place in zip((*read, small.output), places, strict=True):
        found[tensor] = place
    return found


def kinds_of(slabs: Sequence[Slab]) -> tuple[list[Slab], int]:
    """The different slabs of a stage in the order in which it comes to them, and how many steps come before
    those that are all alike. See ``RowStage.kind``. Raises ImpossibleError where there are too many."""
    middle = slabs[len(slabs) // 2]
    alike = [step for step, slab in enumerate(slabs) if slab == middle]
    top, end = alike[0], alike[-1] + 1
    if any(slab != middle for slab in slabs[top:end]) or top + 1 + len(slabs) - end > MOST_KINDS:
        raise ImpossibleError("too many kinds of steps")
    return [*slabs[:top], middle, *slabs[end:]], top


def _offers(
    whole: Node | None, small: Sequence[Node], times: Sequence[int], lowering: BandLowering
) -> dict[str, KernelCost]:
    """The kernel variants that take all kinds of steps, and what they cost in all. ``whole``: the operator,
    None where each step is a whole of its own."""
    kinds = [lowering.slab_costs(node, whole or node) for node in small]
    return {
        v: KernelCost(
            sum(count * costs[v].instructions for costs, count in zip(kinds, times, strict=True)), first.flash
        )
        for v, first in kinds[0].items()
        if all(v in costs for costs in kinds)
    }


def _unified(
    records: Sequence[list[KernelCall]], places: Sequence[Buffer], name: str, lowering: BandLowering
) -> tuple[tuple[tuple[KernelCall, ...], ...], set[Buffer]]:
    """The calls with one working buffer where each kind of step brought its own, and those buffers."""
    alike = len({tuple(_form(call, places) for call in calls) for calls in records}) == 1
    groups: dict[object, list[Buffer]] = {}
    seen = set(places)
    for kind, calls in enumerate(records):
        for index, call in enumerate(calls):
            for at, arg in enumerate(call.args):
                if isinstance(arg, Buffer) and arg not in seen:
                    seen.add(arg)
                    groups.setdefault((index, at) if alike else (kind, index, at), []).append(arg)
    now: dict[Buffer, Buffer] = {}
    for members in groups.values():
        largest, alignment = max(members, key=lambda b: b.nbytes), max(b.alignment for b in members)
        shared = lowering.scratch(f"{name}_work", largest.nbytes, alignment, size=largest.size)
        now.update(dict.fromkeys(members, shared))
    unified = tuple(tuple(_renamed(call, now) for call in calls) for calls in records)
    return unified, set(now.values())


def _form(call: KernelCall, places: Sequence[Buffer]) -> tuple[object, ...]:
    operands = tuple(arg if arg in places else type(arg) for arg in call.args)
    return call.function, operands


def _renamed(call: KernelCall, now: Mapping[Buffer, Buffer]) -> KernelCall:
    return replace(
        call,
        args=[now.get(arg, arg) if isinstance(arg, Buffer) else arg for arg in call.args],
        reads=[now.get(buffer, buffer) for buffer in call.reads],
        writes=[now.get(buffer, buffer) for buffer in call.writes],
        overlaps=[
            replace(o, input=now.get(o.input, o.input), output=now.get(o.output, o.output))
            for o in call.overlaps
        ],
    )
