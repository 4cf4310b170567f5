# SPDX-License-Identifier: Apache-2.0
"""The program: ordered kernel calls over buffers and constants, between the graph and the C text.

Lowering makes it, the planner gives each buffer its place in the arena, the emitter writes it as C.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy.typing as npt

from tinyserve.compiler.events import NO_EVENTS, Events
from tinyserve.compiler.graph.types import DType, Tensor

Optimize = Literal["balanced", "speed", "size", "ram"]
Feed = Literal["whole", "rows"]
"""How the application hands the input over: at once, or row by row, so that it is never in memory as a
whole."""
BufferKind = Literal["input", "output", "activation", "scratch", "state"]
Instance = Literal["static", "caller"]
"""Whose the model's context is: one static one, or as many as the caller has."""


@dataclass(frozen=True)
class Choice:
    """Overrules the chooser: the layer of this short name gets this variant ("portable": the plain C)."""

    layer: str
    variant: str


@dataclass(frozen=True)
class MemoryRegion:
    """A memory that a model may use.

    ``nbytes`` are free there for it; ``word_cycles`` is about what a word read from it costs the core.
    ``section`` of the linker script lies there; empty where what has no section goes.
    """

    name: str
    nbytes: int
    word_cycles: float
    section: str = ""


@dataclass(frozen=True)
class Memories:
    """Where arena and weights may lie, the memory that they have by default first. With fewer than two of a
    kind there is nothing to choose."""

    arena: tuple[MemoryRegion, ...] = ()
    weights: tuple[MemoryRegion, ...] = ()


ONE_MEMORY = Memories()


@dataclass(frozen=True)
class Target:
    """What lowering may use: instruction-set features of the core and what to optimize for.

    Features: "dsp" (Armv7E-M SIMD, SMLAD), "mve" (Helium), "thumb1" (Armv6-M: no long
    multiply, no unaligned access; M3 runs it too), "fpu" (single precision), "rv32m" (RISC-V with
    multiplication), "host" (vectors of the computer that compiles), "wasm" (those of WebAssembly). None means
    the portable kernels alone.

    ``operators``: directories of operators from outside, as ``ops.support.external.checked`` gives them.
    ``memories``: those of a board that has several. ``feed``: how the model gets its input.
    """

    features: frozenset[str] = frozenset()
    optimize: Optimize = "balanced"
    choices: tuple[Choice, ...] = ()
    operators: tuple[Path, ...] = ()
    memories: Memories = ONE_MEMORY
    feed: Feed = "whole"

    def choice(self, layer: str) -> str | None:
        """The variant that was chosen for a layer by its short name; the last word counts."""
        return next((one.variant for one in reversed(self.choices) if one.layer == layer), None)


PORTABLE = Target()


@dataclass(eq=False)
class Buffer:
    """A piece of the arena. Activations hold one tensor; scratch lives for one call; state lives forever.

    ``size`` is what the kernel's header says that scratch or state takes, as a C expression in bytes: the
    generated code asserts that it is ``nbytes``.
    """

    name: str
    nbytes: int
    dtype: DType
    kind: BufferKind = "activation"
    alignment: int = 4
    tensor: Tensor | None = None
    size: str = ""


@dataclass(frozen=True, eq=False)
class View:
    """Where a buffer lies in another, whose bytes it shares: in bytes from its start."""

    root: Buffer
    start: int


@dataclass(eq=False)
class Constant:
    """Read-only data in flash (weights.c). ``values`` is written with ``c_type`` elements."""

    name: str
    values: npt.NDArray[Any]
    c_type: str
    comment: str = ""
    alignment: int = 4

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes)


Operand = Buffer | Constant
ParamValue = int | float | bool | str | tuple[int, ...] | tuple[float, ...] | Constant | Buffer | None
"""A parameter: a number, a C identifier (str), an inline array, a pointer to a constant or to a buffer that
the call reads, NULL."""


@dataclass(frozen=True)
class Params:
    """The parameters of a kernel. A subclass is the record of one C struct, ``c_type``, with its fields by
    their C names: ``class MoveParams(Params, c_type="ts_move_params")``.

    A field may be a record itself, or a tuple of records: a struct within, or an array of them. A record
    without a ``c_type`` is a group of fields that C has in the struct around it, as its macros of fields do.
    """

    c_type: ClassVar[str] = ""

    def __init_subclass__(cls, c_type: str = "") -> None:
        super().__init_subclass__()
        cls.c_type = c_type

    def leaves(self) -> Iterator[tuple[str, ParamValue]]:
        """Name and value of each field, in order; of structs within ``inner.field``, ``inner[0].field``."""
        for one in fields(self):
            yield from _leaves(one.name, getattr(self, one.name))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, ParamValue]]:
    if isinstance(value, Params):
        prefix = f"{name}." if value.c_type else ""
        yield from ((f"{prefix}{inner}", leaf) for inner, leaf in value.leaves())
    elif isinstance(value, tuple) and value and isinstance(value[0], Params):
        for index, one in enumerate(value):
            yield from _leaves(f"{name}[{index}]", one)
    else:
        yield name, value


@dataclass(frozen=True, eq=False)
class Overlap:
    """Permission for ``output`` to share bytes with ``input`` within one call.

    The call is correct when the two are disjoint, or when
    ``offset(output) + lead_bytes <= offset(input)``: the kernel writes its output in ascending order and
    never overwrites an input byte that it still has to read. lead_bytes = 0 is an elementwise in-place
    operator; a 3x3 convolution leads by a row and a bit; an operator whose output grows faster than its
    input leads by the difference.

    With ``in_place`` the output may only be the input itself, at the same offset: a kernel that works channel
    by channel may overwrite what it has read, but nothing else.

    ``timed``: the lead was found from which bytes of the two are needed at each moment of the call (a band),
    and holds whichever of them comes to life first.
    """

    input: Buffer
    output: Buffer
    lead_bytes: int = 0
    in_place: bool = False
    timed: bool = False


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One C statement: ``function(&params, arg0, arg1, ...)``.

    ``header`` is relative to tinyserve/kernels. ``sources`` are further files (.S, .c) that must be compiled
    and linked. ``params`` become a ``static const`` struct of their type with designated initialisers, in
    order; a call without a function of its own (control flow) has none.
    ``args`` are passed as pointers, in order, after the params; None is passed as NULL. Reads and writes say
    which of the buffers in args are read and written (scratch is in both).
    ``layer`` names the model's layer for readers; ``comment`` says shapes and what the call computes;
    ``variant`` names the kernel variant and ``reason`` why it was chosen. Where ``continues`` is a bool that
    the call sets to false, the inference ends after it, and outputs stay what they were. ``code`` holds the
    lines of functions that are this call's alone, where what to compute is no constant but code.
    """

    function: str
    header: str
    params: Params | None
    args: list[Operand | None]
    reads: list[Buffer]
    writes: list[Buffer]
    layer: str
    op: str
    comment: str = ""
    macs: int = 0
    overlaps: list[Overlap] = field(default_factory=list)
    sources: tuple[str, ...] = ()
    variant: str = "portable"
    reason: str = ""
    continues: Buffer | None = None
    code: tuple[str, ...] = ()

    @cached_property
    def fields(self) -> dict[str, ParamValue]:
        """The parameters by their names in C."""
        return dict(self.params.leaves()) if self.params is not None else {}


@dataclass(frozen=True, eq=False)
class Block:
    """A subgraph as one control-flow call runs it.

    Its own buffers lie in the call's region, where ``plan`` says; all others belong to the graphs around it.
    ``reads`` and ``writes`` are those. ``outputs`` are the subgraph's (None for handles of variables).
    """

    name: str
    calls: list[KernelCall]
    buffers: list[Buffer]
    plan: MemoryPlan
    outputs: list[Operand | None]
    reads: list[Buffer]
    writes: list[Buffer]


@dataclass(frozen=True, eq=False, kw_only=True)
class ControlCall(KernelCall):
    """Runs blocks, depending on ``test``, the place of a bool.

    ``if``: the first block where test is true, else the second. ``while``: the first block computes test, and
    as long as it is true the second runs. ``once``: the block runs unless test is true, which it becomes.
    Blocks share ``region``, as no two of them run at a time. ``macs`` counts each block once.
    """

    control: Literal["if", "while", "once"]
    test: Operand
    blocks: tuple[Block, ...]
    region: Buffer


@dataclass(frozen=True)
class RowsTaken:
    """What a stage of a band reads of a window: in step n, of the tensor's rows those from
    ``first + n * advance`` to ``end + n * advance``, as far as there are such."""

    window: int
    advance: int
    first: int
    end: int

    def span(self, step: int, height: int) -> tuple[int, int]:
        """Start and end of the rows that a step reads, of a tensor of ``height`` rows."""
        start = min(height, max(0, self.first + step * self.advance))
        return start, max(start, min(height, self.end + step * self.advance))


@dataclass(frozen=True)
class RowWindow:
    """Where rows of a tensor lie while a band runs: ``rows`` places for ``height`` rows.

    Rows are written one behind the other. Where the next do not fit, those that ``keeper`` (the number of a
    stage, and of its input) still reads are moved to the front first. None: nothing is ever moved.
    ``given``: the tensor is there before the band begins. ``fed``: its rows come one by one from outside,
    each when no stage can take a step. ``early``: rows are moved as soon as ``keeper`` has taken a step.
    """

    height: int
    row_bytes: int
    rows: int
    given: bool
    keeper: tuple[int, int] | None
    fed: bool = False
    early: bool = False


@dataclass(frozen=True, eq=False)
class RowStage:
    """A layer of a band: ``steps`` steps of ``rows`` rows, the last perhaps of fewer.

    ``records`` are the kernel calls of a step, by the kind of step: the first ``top`` steps have one each,
    then there is one for all steps between, then one for each of the last ones. Their operands ``places``
    (of the inputs, then of the output) stand for the rows that the step reads and writes. ``wake`` is the
    last stage that reads what this one writes; ``reader`` is the only one, and its input, for which no rows
    are computed in advance.
    """

    layer: str
    op: str
    inputs: tuple[RowsTaken, ...]
    output: int
    rows: int
    steps: int
    top: int
    records: tuple[tuple[KernelCall, ...], ...]
    places: tuple[Buffer, ...]
    wake: int
    reader: tuple[int, int] | None = None

    def kind(self, step: int) -> int:
        """Which of the records a step takes."""
        if step <= self.top:
            return step
        return max(self.top, step + len(self.records) - self.steps)


@dataclass(frozen=True, eq=False, kw_only=True)
class BandCall(KernelCall):
    """Runs layers by rows, so that the tensors between them are never whole.

    ``args`` are the windows' buffers in the order of ``windows``, then what the driver notes its place in. Of
    the stages that have the rows for their next step, the last takes it.
    """

    windows: tuple[RowWindow, ...]
    stages: tuple[RowStage, ...]

    @property
    def notes(self) -> Buffer:
        """Where the driver keeps rows and steps."""
        found = self.args[-1]
        assert isinstance(found, Buffer)
        return found

    @property
    def fed(self) -> int | None:
        """The number of the window that is fed by rows from outside, None where there is none."""
        return next((number for number, window in enumerate(self.windows) if window.fed), None)


def every_call(calls: Iterable[KernelCall]) -> Iterator[KernelCall]:
    """The calls and those in the blocks and bands that they run."""
    for call in calls:
        if isinstance(call, BandCall):
            for stage in call.stages:
                yield from chain.from_iterable(stage.records)
        if isinstance(call, ControlCall):
            for block in call.blocks:
                yield from every_call(block.calls)
        yield call


@dataclass(frozen=True)
class RowsNote:
    """What bands do for a program: the arena's bytes where every tensor is whole, and by layer why it is not
    computed by rows."""

    whole_bytes: int
    reasons: dict[str, str]


@dataclass(frozen=True, eq=False)
class Program:
    """Calls in order over buffers. Inputs and outputs are buffers or, for folded models, constants.

    ``initial`` holds the values of state buffers that do not start as zeros. ``values`` says where each
    tensor of the graph lives: several tensors share one operand where a reshape needs no code. ``offers`` are
    the kernel variants that layers (by short name) can have on the target, the estimated cheapest first;
    ``refusals`` say why a layer has none but the portable one. ``input_names`` and
    ``output_names`` are those of the model's signature. ``events``: which outputs say what
    happened. ``views``: buffers that are parts of others, and not among ``buffers``.
    """

    name: str
    target: Target
    calls: list[KernelCall]
    buffers: list[Buffer]
    constants: list[Constant]
    inputs: list[Buffer]
    outputs: list[Operand]
    input_tensors: list[Tensor]
    output_tensors: list[Tensor]
    model_sha256: str
    initial: dict[Buffer, Constant] = field(default_factory=dict)
    values: dict[Tensor, Operand] = field(default_factory=dict)
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    rows: RowsNote | None = None
    input_names: list[str] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    events: Events = NO_EVENTS
    views: dict[Buffer, View] = field(default_factory=dict)

    @property
    def fed_band(self) -> BandCall | None:
        """The first call, where it takes the model's input row by row; that input has no buffer then."""
        first = self.calls[0] if self.calls else None
        return first if isinstance(first, BandCall) and first.fed is not None else None

    @property
    def bands_in_steps(self) -> list[BandCall]:
        """The bands that an inference in steps takes step by step: all but the one that is fed."""
        fed = self.fed_band
        return [call for call in self.calls if isinstance(call, BandCall) and call is not fed]

    @property
    def fed_rows(self) -> RowWindow | None:
        """The rows of the model's input, where it is fed by rows."""
        band = self.fed_band
        return None if band is None or band.fed is None else band.windows[band.fed]

    def whole(self, buffer: Buffer) -> Buffer:
        """The buffer that another is a part of; itself where it is none."""
        view = self.views.get(buffer)
        return buffer if view is None else view.root


@dataclass(frozen=True)
class Lifetime:
    """First and last call index (inclusive) at which a buffer's bytes must be kept.

    -1 is before the first call; ``len(calls)`` is after the last.
    """

    first: int
    last: int


@dataclass(frozen=True)
class ArenaPart:
    """A piece of the arena in a memory of its own: its first offset, and its bytes."""

    memory: MemoryRegion
    start: int
    nbytes: int


@dataclass(eq=False)
class MemoryPlan:
    """Where each buffer lies in the arena (bytes from its start) and how large the arena is.

    ``parts``: where the arena lies in memories that were chosen, one after the other in offsets; no buffer
    reaches over an end. Empty: it is one piece wherever the linker puts it. ``weights``: constants that do
    not lie where constants do by default. ``views``: buffers that lie within others.
    """

    offsets: dict[Buffer, int]
    lifetimes: dict[Buffer, Lifetime]
    arena_bytes: int
    alignment: int = 16
    parts: tuple[ArenaPart, ...] = ()
    weights: dict[Constant, MemoryRegion] = field(default_factory=dict)
    views: dict[Buffer, View] = field(default_factory=dict)

    def part(self, buffer: Buffer) -> int:
        """The number of the part that a buffer lies in."""
        offset = self.offsets[buffer]
        return max((number for number, one in enumerate(self.parts) if one.start <= offset), default=0)

    def offset(self, buffer: Buffer) -> int:
        """Bytes from the start of the buffer's part."""
        return self.offsets[buffer] - (self.parts[self.part(buffer)].start if self.parts else 0)


@dataclass(frozen=True)
class SharedArena:
    """One arena for several models, which are named here; its size and its alignment. The models' plans have
    their places in it."""

    name: str
    models: tuple[str, ...]
    nbytes: int
    alignment: int


@dataclass(frozen=True)
class Interface:
    """How the generated C meets its caller. ``shared``: the arena that it has in common with other models.
    ``labels``: what the model's classes are called, in the order of the scores; empty where nobody knows."""

    instance: Instance = "static"
    shared: SharedArena | None = None
    labels: tuple[str, ...] = ()


STATIC = Interface()
