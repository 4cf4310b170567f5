# SPDX-License-Identifier: Apache-2.0
"""Which layers can be a band, and what their stages take of each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from tinyserve.compiler.bands.schedule import ImpossibleError, Schedule, Stage, Window, simulate
from tinyserve.compiler.graph.rows import (
    RowRule,
    Slab,
    along_one_axis,
    has_rows,
    height,
    lines,
    row_bytes,
    takes_rows,
)
from tinyserve.compiler.graph.types import Graph, Node, Tensor
from tinyserve.compiler.ops.support.base import OpDef
from tinyserve.compiler.ops.support.four_bits import has_four_bits
from tinyserve.compiler.program import Operand, RowsTaken, Target
from tinyserve.words import counted

Registry = Callable[[Node], OpDef]


@dataclass(frozen=True)
class KernelCost:
    """Estimated instructions of a kernel on (some rows of) an operator, and what the flash is worth that it
    takes for all rows."""

    instructions: float
    flash: float = 0.0

    def price(self, times: float = 1.0) -> float:
        """Where it is run so many times."""
        return times * self.instructions + self.flash


def cheapest(costs: Mapping[str, KernelCost], times: float = 1.0) -> str:
    """The kernel variant of the least price, where it is run so many times."""
    return min(costs, key=lambda v: (costs[v].price(times), v))


class Kernels(Protocol):
    """What is known of the kernels that can compute some rows of a layer."""

    def slab_costs(self, node: Node, whole: Node) -> Mapping[str, KernelCost]:
        """What some rows of an operator cost by those kernel variants that the ``whole`` of it can have;
        empty where only one kernel takes it."""
        ...

    def slab_scratch(self, node: Node, variant: str | None) -> int:
        """Bytes that the kernel works in while it computes these rows."""
        ...


MOST_WINDOWS = 250
MOST_INPUTS = 8
"""Of a layer, read row by row: TS_ROW_BAND_INPUTS of ``kernels/row_band.h``."""
_MOST_ROWS = 1 << 14
_MOST_HEIGHT = 0x7FFF
"""Of an input: rows are counted in 16 bits by ``kernels/row_band.h``, before the first of an image, too."""


@dataclass(frozen=True)
class Band:
    """Layers ``first`` and on of the main graph, one for each of ``rows``: how many rows a step makes, or
    takes in where it gathers them. ``fed``: the model's input, where it comes row by row from outside (a
    reshaped one has rows). ``variants``: the kernels of the layers that do not have the cheapest, by their
    place in the band. ``early``: the windows whose rows are moved as soon as they have been read."""

    first: int
    rows: tuple[int, ...]
    fed: Tensor | None = None
    variants: tuple[tuple[int, str], ...] = ()
    early: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """The layer behind the last."""
        return self.first + len(self.rows)


@dataclass(frozen=True)
class Shape:
    """A band's tensors and stages. ``slabs`` are the slabs of each stage, by steps."""

    tensors: tuple[Tensor, ...]
    windows: tuple[Window, ...]
    stages: tuple[Stage, ...]
    slabs: tuple[tuple[Slab, ...], ...]

    def simulate(self) -> Schedule:
        return simulate(self.stages, self.windows)


def refusal(node: Node, definition: OpDef, target: Target) -> str:
    """Why a layer can't be part of a band; empty where it can."""
    if has_four_bits(node) and not (definition.reads_four_bits and target.features):
        return "its weights of four bits are unpacked for each call"
    rule = definition.rows(node) if len(node.outputs) == 1 and node.output.elements else None
    gathers = rule is not None and rule.gathers
    if len(node.outputs) != 1 or not (gathers or has_rows(node.output)):
        return "its output is not one image"
    if rule is None:
        return (
            "its rows are not all made alike" if definition.by_rows else f"{node.name} needs its input whole"
        )
    if lines(node, rule) > _MOST_ROWS:
        return "it has too many rows"
    images = [tensor for tensor in takes_rows(node) if tensor is not None and has_rows(tensor)]
    if not along_one_axis(images if gathers else [*images, node.output]):
        return "it makes an image of one row of one that has several, or the other way round"
    return _unfit_inputs(node)


def _unfit_inputs(node: Node) -> str:
    read = [tensor for tensor in takes_rows(node) if tensor is not None]
    if not read:
        return "all of its inputs are constants"
    if len(read) > MOST_INPUTS:
        return f"it has {counted(len(read), 'input')}, the driver takes {MOST_INPUTS}"
    if any(has_rows(tensor) and height(tensor) > _MOST_HEIGHT for tensor in read):
        return "its input has too many rows"
    if any(not has_rows(tensor) for tensor in read) or len({height(tensor) for tensor in read}) > 1:
        return "its inputs are not images of one height"
    return ""


def needed_after(band: Band, graph: Graph, values: Mapping[Tensor, Operand]) -> set[Tensor]:
    """The tensors of a band that are needed behind it, perhaps by another name: ``values`` says which
    tensors are the same bytes, as far as it is known."""
    later = {tensor for node in graph.nodes[band.end :] for tensor in node.operands()} | set(graph.outputs)
    places = {id(values[tensor]) for tensor in later if tensor in values}
    touched = {
        tensor for node in graph.nodes[band.first : band.end] for tensor in (*node.operands(), node.output)
    }
    return {
        tensor for tensor in touched if tensor in later or (tensor in values and id(values[tensor]) in places)
    }


def shape_of(
    nodes: Sequence[Node],
    rows: Sequence[int],
    kept: Collection[Tensor],
    registry: Registry,
    fed: Tensor | None = None,
    *,
    early: Collection[int] = (),
) -> Shape:
    """The band of these layers, none of which ``refusal`` speaks against. ``kept``: the tensors that are
    needed after it. ``early``: numbers of windows. Raises ImpossibleError where the rows do not go
    together."""
    if fed is not None and fed in kept:
        raise ImpossibleError("the input that is fed by rows is needed again later")
    numbers: dict[Tensor, int] = {}
    windows: list[Window] = []
    made = {node.output for node in nodes}
    stages, slabs = [], []
    gathered: set[Tensor] = set()
    for node, count in zip(nodes, rows, strict=True):
        rule = registry(node).rows(node)
        assert rule is not None
        for tensor in (*(t for t in takes_rows(node) if t is not None), node.output):
            if tensor in gathered and height(tensor) > 1:
                raise ImpossibleError("rows of what is there at once")
            if tensor not in numbers:
                numbers[tensor] = len(windows)
                in_one = rule.gathers and tensor is node.output
                gathered |= {tensor} if in_one else set()
                windows.append(
                    Window(
                        *_rows(tensor, in_one=in_one),
                        given=tensor not in made and tensor is not fed,
                        kept=tensor in kept,
                        alignment=max(4, tensor.dtype.itemsize),
                        fed=tensor is fed,
                        early=len(windows) in early,
                    )
                )
        taken = tuple(
            _taken(rule, count, numbers[tensor]) for tensor in takes_rows(node) if tensor is not None
        )
        steps = -(-lines(node, rule) // count)
        stages.append(Stage(taken, numbers[node.output], 0 if rule.gathers else count, steps))
        slabs.append(slabs_of(node, rule, count))
    if len(windows) > MOST_WINDOWS:
        raise ImpossibleError("too many tensors")
    return Shape(tuple(numbers), tuple(windows), tuple(stages), tuple(slabs))


def _rows(tensor: Tensor, *, in_one: bool) -> tuple[int, int]:
    """How many rows of how many bytes: one where it is there as a whole."""
    return (1, tensor.nbytes) if in_one else (height(tensor), row_bytes(tensor))


def _taken(rule: RowRule, rows: int, window: int) -> RowsTaken:
    if rows % rule.up or rows * rule.stride % rule.up:
        raise ImpossibleError(f"steps of {counted(rows, 'row')} where {rule.up} are made of one")
    first, end = rule.span(0, rows)
    return RowsTaken(window, rows * rule.stride // rule.up, first, end)


def slabs_of(node: Node, rule: RowRule, rows: int) -> tuple[Slab, ...]:
    """The slabs of an operator's steps. Raises ImpossibleError where a step would read padding alone."""
    source = next(tensor for tensor in takes_rows(node) if tensor is not None)
    if rule.gathers:
        return _shares(height(source), rows)
    return _slabs(height(node.output), height(source), rule, rows)


@lru_cache(maxsize=2048)
def _slabs(outputs: int, inputs: int, rule: RowRule, rows: int) -> tuple[Slab, ...]:
    found = []
    for first in range(0, outputs, rows):
        count = min(rows, outputs - first)
        start, end = rule.span(first, count)
        inside = max(0, start), min(inputs, end)
        if inside[0] >= inside[1]:
            if not rule.fills:
                raise ImpossibleError("rows of padding alone")
            found.append(Slab(0, count, count if end <= 0 else 0, 0 if end <= 0 else count))
            continue
        found.append(Slab(inside[1] - inside[0], count, inside[0] - start, end - inside[1]))
    return tuple(found)


def _shares(inputs: int, rows: int) -> tuple[Slab, ...]:
    return tuple(
        Slab(min(rows, inputs - first), 1, begins=first == 0, ends=first + rows >= inputs)
        for first in range(0, inputs, rows)
    )
