# SPDX-License-Identifier: Apache-2.0
"""Views: copies of whole runs that need not be made, as what is copied lies where it is copied to.

A concatenation along the outermost axis copies each input to its place in the output: its producer writes
there in the first place. A slice along it is read where it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from tinyserve.compiler.plan.planner import plan
from tinyserve.compiler.program import (
    ONE_MEMORY,
    BandCall,
    Buffer,
    ControlCall,
    MemoryPlan,
    Program,
    View,
)

_UNITS = {"ts_strided_copy_runs_of_words": 4, "ts_strided_copy_runs_of_bytes": 1}
_MOST_TRIALS = 24


@dataclass(frozen=True)
class _Copy:
    """A call that copies one run: bytes from a start in its source to one in its target."""

    index: int
    source: Buffer
    target: Buffer
    source_start: int
    target_start: int
    nbytes: int


def with_views(program: Program, memory: MemoryPlan) -> tuple[Program, MemoryPlan]:
    """The program without the copies that views spare, and its plan, as long as the arena does not grow; the
    same two where none is spared."""
    special = any(isinstance(call, ControlCall | BandCall) for call in program.calls)
    copies = [] if special or program.target.memories != ONE_MEMORY else _copies(program)
    if not copies:
        return program, memory
    best = _trial(program, memory, copies)
    if best is not None or len(copies) > _MOST_TRIALS:
        return best or (program, memory)
    kept: list[_Copy] = []
    for copy in copies:
        found = _trial(program, memory, [*kept, copy])
        if found is not None:
            best, kept = found, [*kept, copy]
    return best or (program, memory)


def _trial(
    program: Program, memory: MemoryPlan, copies: Iterable[_Copy]
) -> tuple[Program, MemoryPlan] | None:
    """With views instead of these copies, where they can be; None where the arena would be larger."""
    viewed = _without(program, copies)
    planned = plan(viewed) if viewed.views else memory
    return (viewed, planned) if viewed.views and planned.arena_bytes <= memory.arena_bytes else None


def _copies(program: Program) -> list[_Copy]:
    """Every call that copies one run from a buffer to another."""
    found = []
    for index, call in enumerate(program.calls):
        unit = _UNITS.get(call.function)
        if unit is None or call.fields["rows"] != 1 or len(call.args) != 2:
            continue
        source, target = call.args
        if isinstance(source, Buffer) and isinstance(target, Buffer) and source is not target:
            values = [call.fields[name] for name in ("input_start", "output_start", "row_length")]
            starts = [int(value) * unit for value in values if isinstance(value, int)]
            found.append(_Copy(index, source, target, *starts))
    return found


def _without(program: Program, copies: Iterable[_Copy]) -> Program:
    """The program with a view for each of the copies that permits one."""
    views: dict[Buffer, View] = {}
    gone: set[int] = set()
    copying = {copy.index: copy for copy in _copies(program)}
    for copy in copies:
        view = _view(program, copy, copying)
        if view is None or view[0] in views or not _is_apart(view, views):
            continue
        inner, (root, start) = view
        if root in views:
            root, start = views[root].root, views[root].start + start
        moved = {one: View(root, at.start + start) for one, at in views.items() if at.root is inner}
        views |= {**moved, inner: View(root, start)}
        gone.add(copy.index)
    calls = [call for index, call in enumerate(program.calls) if index not in gone]
    buffers = [buffer for buffer in program.buffers if buffer not in views]
    return replace(program, calls=calls, buffers=buffers, views=views)


def _is_apart(view: tuple[Buffer, tuple[Buffer, int]], views: dict[Buffer, View]) -> bool:
    """Whether a buffer and what it is to be part of are not parts of one buffer already."""
    inner, (root, _) = view
    return root is not inner and (root not in views or views[root].root is not inner)


def _view(
    program: Program, copy: _Copy, copying: dict[int, _Copy]
) -> tuple[Buffer, tuple[Buffer, int]] | None:
    """The buffer that may be a part of another: the source of the target, or the target of the source."""
    if _fills(program, copy, copying):
        return copy.source, (copy.target, copy.target_start)
    if _reads_in_place(program, copy):
        return copy.target, (copy.source, copy.source_start)
    return None


def _fills(program: Program, copy: _Copy, copying: dict[int, _Copy]) -> bool:
    """Whether the source is copied whole to a buffer that such copies alone write, each another part."""
    whole = copy.source_start == 0 and copy.nbytes == copy.source.nbytes
    if not whole or not _may_be_part(copy.source, copy.target_start) or copy.target.kind == "state":
        return False
    writers = [index for index, call in enumerate(program.calls) if copy.target in call.writes]
    parts = [copying[index] for index in writers if index in copying]
    spans = sorted((part.target_start, part.target_start + part.nbytes) for part in parts)
    disjoint = all(end <= start for (_, end), (start, _) in pairwise(spans))
    return len(parts) == len(writers) and disjoint and _is_final(program, copy.source, copy.index)


def _reads_in_place(program: Program, copy: _Copy) -> bool:
    """Whether the target is a part of the source and nothing else."""
    whole = copy.target_start == 0 and copy.nbytes == copy.target.nbytes
    if not whole or not _may_be_part(copy.target, copy.source_start) or copy.source.kind == "state":
        return False
    written = sum(copy.target in call.writes for call in program.calls)
    return written == 1 and _is_final(program, copy.source, copy.index)


def _may_be_part(buffer: Buffer, start: int) -> bool:
    return buffer.kind == "activation" and start % buffer.alignment == 0


def _is_final(program: Program, buffer: Buffer, index: int) -> bool:
    """Whether nothing writes the buffer from a call on."""
    return not any(buffer in call.writes for call in program.calls[index:])
