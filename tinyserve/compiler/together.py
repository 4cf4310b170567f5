# SPDX-License-Identifier: Apache-2.0
"""Several models for one firmware, in one arena: scratch shared, state apart.

Models that run one after the other need the memory of the largest, not of all. What must outlive another
model's inference lies apart, behind the scratch: each model's state, and the outputs of those that are kept
while others run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.emit.emit import emit
from tinyserve.compiler.emit.shared_arena import shared_arena_files
from tinyserve.compiler.plan.planner import plan_apart, shift
from tinyserve.compiler.program import (
    PORTABLE,
    Buffer,
    Instance,
    Interface,
    MemoryPlan,
    SharedArena,
    Target,
)
from tinyserve.compiler.reserved import hidden_header
from tinyserve.errors import UsageError

NAME = "shared"


@dataclass(frozen=True)
class Member:
    """One of the models. ``kept``: its outputs are read while others run. ``labels``: its classes' names."""

    name: str
    data: bytes
    kept: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Together:
    """Models that share an arena. ``alone_bytes`` are the arenas that each would have by itself."""

    compiled: tuple[Compiled, ...]
    arena: SharedArena
    alone_bytes: tuple[int, ...]
    files: dict[str, str | bytes]
    compile: tuple[str, ...]


@dataclass(frozen=True)
class _Planned:
    """A model with a plan whose first ``scratch_bytes`` others may use, too, and what lies apart."""

    alone: Compiled
    memory: MemoryPlan
    apart: tuple[Buffer, ...]

    @property
    def scratch_bytes(self) -> int:
        whole = self.alone.program.whole
        inside = [buffer for buffer in self.memory.offsets if whole(buffer) not in self.apart]
        return max((self.memory.offsets[buffer] + buffer.nbytes for buffer in inside), default=0)


def compile_together(
    members: Sequence[Member], target: Target = PORTABLE, instance: Instance = "static"
) -> Together:
    """Compiles models into one arena. Raises UsageError for names that are not theirs alone, and what
    ``compile_model`` raises."""
    planned = [_planned(member, target) for member in members]
    names = tuple(one.alone.name for one in planned)
    check_names([*names, NAME])
    scratch = max((one.scratch_bytes for one in planned), default=0)
    plans, end = [], scratch
    for one in planned:
        memory = shift(one.memory, one.apart, end)
        plans.append(memory)
        end = memory.arena_bytes if one.apart else end
    alignment = max((memory.alignment for memory in plans), default=16)
    arena = SharedArena(NAME, names, end, alignment)
    compiled = tuple(
        _compiled(one, replace(memory, arena_bytes=end), Interface(instance, arena, member.labels))
        for one, memory, member in zip(planned, plans, members, strict=True)
    )
    own = shared_arena_files(arena, instance)
    files = side_by_side([*(one.sources.files for one in compiled), own])
    sources = [source for one in compiled for source in one.sources.compile]
    sources += [path for path in own if path.endswith(".c")]
    alone = tuple(one.alone.plan.arena_bytes for one in planned)
    return Together(compiled, arena, alone, files, tuple(dict.fromkeys(sources)))


def check_names(names: Sequence[str]) -> None:
    """Raises UsageError where two models of one firmware have one name, or one has that of a header."""
    folded = [name.casefold() for name in names]  # as some file systems have it
    for name in names:
        hidden = hidden_header(name)
        if hidden:
            raise UsageError(f"--name {name}: {hidden}", f"another one, such as {name}_model")
        if folded.count(name.casefold()) > 1:
            hint = "give each of the models a --name of its own, in their order"
            reason = "is the arena's" if name.casefold() == NAME else "is that of two models"
            raise UsageError(f"the name {name!r} {reason}", hint)


def side_by_side(parts: Sequence[dict[str, str | bytes]]) -> dict[str, str | bytes]:
    """Files of several models for one directory; kernels are the same for all.

    Raises UsageError where two models would write one file: ``kws`` beside ``kws_weights``.
    """
    own = Counter(path for files in parts for path in files if "/" not in path)
    for path, count in own.items():
        if count > 1:
            raise UsageError(f"two models would write {path}", "give one of them another --name")
    return {path: text for files in parts for path, text in files.items()}


def _planned(member: Member, target: Target) -> _Planned:
    alone = compile_model(member.data, target, member.name)
    program = alone.program
    kept = [buffer for buffer in program.outputs if isinstance(buffer, Buffer)] if member.kept else []
    states = [buffer for buffer in program.buffers if buffer.kind == "state"]
    apart = tuple(dict.fromkeys([*states, *kept]))
    return _Planned(alone, plan_apart(program, apart) if apart else alone.plan, apart)


def _compiled(one: _Planned, memory: MemoryPlan, interface: Interface) -> Compiled:
    return replace(one.alone, plan=memory, sources=emit(one.alone.program, memory, interface))
