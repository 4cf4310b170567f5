# SPDX-License-Identifier: Apache-2.0
"""Which runs of layers to compute by rows: bytes of arena against instructions.

Bands begin and end where little passes from one layer to the next. Of each such run the simulation says how
many bytes it needs at once, and the kernels' estimated costs how many instructions it adds. Layers at the
busiest moment may have kernels that are slower and work in less. For every limit of bytes dynamic programming
finds the bands that add least; the caller tries the few that are worth it for real.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tinyserve.compiler.bands.build import kinds_of
from tinyserve.compiler.bands.feed import FedInput
from tinyserve.compiler.bands.schedule import MOMENTS, ImpossibleError, Schedule
from tinyserve.compiler.bands.stages import (
    Band,
    KernelCost,
    Kernels,
    Registry,
    Shape,
    cheapest,
    needed_after,
    refusal,
    shape_of,
    slabs_of,
)
from tinyserve.compiler.graph.rows import Slab, height, lines, row_bytes, slab_node
from tinyserve.compiler.graph.types import Graph, Node, Tensor
from tinyserve.compiler.ops.support.four_bits import has_four_bits
from tinyserve.compiler.plan.planner import lifetimes
from tinyserve.compiler.program import Program

ROWS = (1, 2, 3, 4)
"""Rows per step of a band's last layers; layers before a stride make more."""
_MOST_CUTS = 26
_MOST_EVENTS = 20_000
_MOVED_BYTE = 0.8
"""Estimated instructions per byte that the driver moves."""


@dataclass(frozen=True)
class Rates:
    """Estimated instructions of a core: of the driver per step, and per byte of rows that two steps read,
    which convolutions widen and pad once per call, and of a convolution per pixel, where compilers fold less
    into a kernel that several kinds of steps call. What depthwise kernels do per call is in their own
    estimates."""

    step: float = 450.0
    read_again: float = 2.0
    pixel: float = 0.0


_SMALL = 0.1
"""Of the largest layer: layers that need less are left alone where they are at an end, and bands end where
less passes on."""
_HARDLY = 0.03
"""Of a layer's instructions: what it may take more with fewer rows per step."""
_NEVER = 1 << 62
"""Bytes of a layer that can't be alone."""
_PER_MAC, _PER_OUTPUT = 12.0, 60.0
"""Estimated instructions of portable kernels."""


@dataclass(frozen=True)
class Run:
    """A band that was weighed: bytes at its busiest moment, instructions beyond those of its layers at
    once."""

    band: Band
    nbytes: int
    extra: float


@dataclass(frozen=True)
class Way:
    """A kernel of a layer in a band: instructions beyond those of the layer at once, bytes that it works in.
    ``variant``: None for the cheapest."""

    variant: str | None
    extra: float
    scratch: int


@dataclass(frozen=True)
class Selection:
    """Bands that go together: bytes of the largest moment, and instructions in all."""

    bands: tuple[Band, ...]
    nbytes: int
    extra: float


@dataclass(eq=False)
class Search:
    """The search over one graph. ``plain`` is its program without bands, ``rates`` are the costs of what is
    around ``kernels``. ``fed``: the input, where it is fed by rows; then every selection has a band that
    takes it."""

    graph: Graph
    plain: Program
    registry: Registry
    kernels: Kernels
    rates: Rates = Rates()
    fed: FedInput | None = None
    refusal: str = ""
    """Why the band of an input that is fed, or one of them, can't be."""
    _wholes: dict[int, float | None] = field(default_factory=dict)
    _known: dict[tuple[int, int], list[Way]] = field(default_factory=dict)

    @property
    def nodes(self) -> Sequence[Node]:
        return self.graph.nodes

    def selections(self, most: float = math.inf) -> list[Selection]:
        """Selections of ever fewer bytes and ever more instructions, up to ``most`` more, the largest
        first."""
        alone = self._alone()
        runs = _worthwhile(self._runs(alone, most))
        limits = sorted({run.nbytes for run in runs} | set(alone), reverse=True)
        if self.fed is not None:
            alone[self.fed.first] = _NEVER
        found: list[Selection] = []
        for limit in limits:
            best = _cheapest(limit, alone, runs)
            if best is None or best.extra > most:
                break
            if found and best.bands == found[-1].bands:
                found[-1] = best
            elif best.bands:
                found.append(best)
        return found

    def instructions(self) -> float:
        """Estimated, of the whole model."""
        return sum(self._plain_cost(index) for index in range(len(self.nodes)))

    def _plain_cost(self, index: int) -> float:
        known = self._whole_cost(index)
        return self._portable(self.nodes[index]) if known is None else known

    def _whole_cost(self, index: int) -> float | None:
        """Of a layer at once, by the cheapest of its kernel variants; None where only one kernel takes it."""
        if index not in self._wholes:
            node = self.nodes[index]
            offers = self._offers(node, node)
            self._wholes[index] = offers[cheapest(offers)].instructions if offers else None
        return self._wholes[index]

    def _offers(self, node: Node, whole: Node) -> Mapping[str, KernelCost]:
        return self.kernels.slab_costs(node, whole) if self.registry(node).by_rows else {}

    def _portable(self, node: Node) -> float:
        return _PER_MAC * self.registry(node).macs(node) + _PER_OUTPUT * sum(
            one.elements for one in node.outputs
        )

    def _alone(self) -> list[int]:
        """Bytes that each layer needs by itself, one after the other."""
        lives = lifetimes(self.plain)
        owner = {one.name: index for index, node in enumerate(self.nodes) for one in node.outputs}
        needs = [0] * len(self.nodes)
        for index, call in enumerate(self.plain.calls):
            live = sum(b.nbytes for b, life in lives.items() if life.first <= index <= life.last)
            shared = max(
                (
                    min(o.input.nbytes, o.output.nbytes - o.lead_bytes)
                    for o in call.overlaps
                    if not o.in_place and lives[o.input].last == index
                ),
                default=0,
            )
            shared = max(shared, *(o.output.nbytes for o in call.overlaps if o.in_place), 0)
            node = owner.get(call.layer)
            if node is not None:
                needs[node] = max(needs[node], live - max(0, shared))
        return needs

    def _crossing(self) -> list[int]:
        """Bytes of activations that are alive between layer n - 1 and layer n."""
        last: dict[Tensor, int] = {}
        for index, node in enumerate(self.nodes):
            for tensor in node.operands():
                if not tensor.is_constant:
                    last[tensor] = index
        bytes_at = [0] * (len(self.nodes) + 1)
        made = {one: index + 1 for index, node in enumerate(self.nodes) for one in node.outputs}
        for tensor, end in last.items():
            for cut in range(made.get(tensor, 0), end + 1):
                bytes_at[cut] += tensor.nbytes
        return bytes_at

    def _runs(self, alone: Sequence[int], most: float) -> list[Run]:
        """Every band between two cuts that is possible, for each number of rows per step."""
        largest = max(alone, default=0)
        busy = [index for index, need in enumerate(alone) if need >= _SMALL * largest]
        begin = 0 if self.fed is None else self.fed.first
        fit = [
            index >= begin and not refusal(node, self.registry(node), self.plain.target)
            for index, node in enumerate(self.nodes)
        ]
        crossing = self._crossing()
        found: list[Run] = []
        for start, end in _stretches(fit):
            cuts = _cuts(crossing, start, end, busy)
            if self.fed is not None and start == self.fed.first:
                cuts = sorted({start, start + 1, *cuts})
            for i, first in enumerate(cuts):
                for last in cuts[i + 1 :]:
                    is_fed = self.fed is not None and first == self.fed.first
                    if is_fed or (last - first > 1 and any(first <= index < last for index in busy)):
                        found += self._weighed(first, last, most)
                    if crossing[last] < _SMALL * largest:
                        break
        return found

    def _weighed(self, first: int, last: int, most: float) -> list[Run]:
        found: list[Run] = []
        seen = set()
        thrifty = [self._thrifty(index) for index in range(first, last)]
        fed = self.fed.tensor if self.fed is not None and self.fed.first == first else None
        for rows, most_rows, least in itertools.product(ROWS, (1, 4), (None, thrifty)):
            band = Band(first, self.rows_per_step(first, last, rows, max(rows, most_rows), least), fed)
            if band.rows not in seen:
                seen.add(band.rows)
                try:
                    found += self.weigh(band, most)
                except ImpossibleError as error:
                    if fed is not None:
                        self.refusal = str(error)
        return found

    def _thrifty(self, index: int) -> int:
        """The fewest rows per step with which a layer takes hardly more instructions than with any: two where
        its kernel makes two at a time."""
        node = self.nodes[index]
        rule = self.registry(node).rows(node)
        if rule is None or rule.gathers:
            return 1
        extra: dict[int, float] = {}
        for rows in ROWS:
            with contextlib.suppress(ImpossibleError):
                extra[rows] = self._ways(index, node, rows, slabs_of(node, rule, rows))[0].extra
        most = min(extra.values(), default=0.0) + _HARDLY * self._plain_cost(index)
        return min((rows for rows, more in extra.items() if more <= most), default=1)

    def rows_per_step(
        self, first: int, last: int, rows: int, most: int, least: Sequence[int] | None = None
    ) -> tuple[int, ...]:
        """Of each layer: as many as the layers that read it take in a step of ``rows``, ``most`` at most, and
        those of ``least`` at least."""
        nodes = self.nodes[first:last]
        counts = [1] * len(nodes)
        for index in reversed(range(len(nodes))):
            node = nodes[index]
            readers = [
                (other, count)
                for other, count in zip(nodes[index + 1 :], counts[index + 1 :], strict=True)
                if node.output in other.operands()
            ]
            wanted = [
                count * rule.stride // rule.up
                for other, count in readers
                if (rule := self.registry(other).rows(other)) is not None
            ]
            own = self.registry(node).rows(node)
            up, all_rows = (own.up, lines(node, own)) if own is not None else (1, height(node.output))
            count = max(min(min(wanted, default=rows), most), 1 if least is None else least[index])
            counts[index] = min(all_rows, -(-count // up) * up)
        return tuple(max(1, count) for count in counts)

    def weigh(self, band: Band, most: float) -> list[Run]:
        """The band, with ever less that its kernels work in, while it adds no more than ``most``
        instructions. Raises ImpossibleError where there can be no such band."""
        nodes = self.nodes[band.first : band.end]
        extra, steps = 0.0, 0
        ways: list[list[Way]] = []
        for number, (node, count) in enumerate(zip(nodes, band.rows, strict=True)):
            rule = self.registry(node).rows(node)
            assert rule is not None
            slabs = slabs_of(node, rule, count)
            steps += len(slabs)
            extra += self.rates.step * len(slabs)
            ways.append(self._ways(band.first + number, node, count, slabs))
        if steps > _MOST_EVENTS:
            raise ImpossibleError("too many steps")
        if extra + sum(one[0].extra for one in ways) > most:
            return []
        kept = needed_after(band, self.graph, self.plain.values)
        shape = shape_of(nodes, band.rows, kept, self.registry, band.fed)
        schedule = shape.simulate()
        extra += _MOVED_BYTE * schedule.moved_bytes
        beside = self._beside(band, shape)
        return [
            Run(replace(band, variants=variants), nbytes + beside, extra + more)
            for variants, nbytes, more in self._with_less_scratch(schedule, ways)
            if extra + more <= most
        ]

    def moved_windows(self, band: Band) -> list[int]:
        """The windows of a band whose rows are moved, and could be as soon as others have been read: those of
        the largest rows first."""
        nodes = self.nodes[band.first : band.end]
        kept = needed_after(band, self.graph, self.plain.values)
        shape = shape_of(nodes, band.rows, kept, self.registry, band.fed)
        schedule = shape.simulate()
        made = {stage.output: stage.rows for stage in shape.stages}
        moved = [n for n in schedule.can_be_early if schedule.windows[n].places > made.get(n, 1)]
        return sorted(moved, key=lambda n: -made.get(n, 1) * schedule.windows[n].row_bytes)

    def _with_less_scratch(
        self, schedule: Schedule, ways: Sequence[Sequence[Way]]
    ) -> Iterator[tuple[tuple[tuple[int, str], ...], int, float]]:
        """Kernels of a band that are not the cheapest, with the bytes of the busiest moment and the added
        instructions: first those of the fewest instructions, then ever less bytes, as long as these are a
        larger part of all than the instructions that they cost."""
        loads, chosen = _loads(schedule, len(ways)), [0] * len(ways)
        all_instructions = max(1.0, self.instructions())
        first = last = math.inf, 0.0
        while all(at < len(one) for one, at in zip(ways, chosen, strict=True)):
            taken = [one[at] for one, at in zip(ways, chosen, strict=True)]
            busy = [load + way.scratch for load, way in zip(loads, taken, strict=True)]
            nbytes, extra = max(schedule.load, *busy), sum(way.extra for way in taken)
            if first[0] == math.inf:
                first = nbytes, extra
            slower = (extra - first[1]) / all_instructions
            if nbytes < last[0] and slower <= (first[0] - nbytes) / first[0]:
                last = nbytes, extra
                named = tuple((n, way.variant) for n, way in enumerate(taken) if way.variant is not None)
                yield named, nbytes, extra
            if max(busy) < nbytes:
                return
            chosen[busy.index(nbytes)] += 1

    def _ways(self, index: int, node: Node, rows: int, slabs: Sequence[Slab]) -> list[Way]:
        """The kernels of a layer by rows: ever more instructions, ever less that they work in."""
        key = (index, rows)
        if key not in self._known:
            self._known[key] = self._find_ways(index, node, slabs)
        return self._known[key]

    def _find_ways(self, index: int, node: Node, slabs: Sequence[Slab]) -> list[Way]:
        operator = self.registry(node)
        if slabs[0].begins:
            return [Way(None, 0.0, operator.kept_between(node).nbytes)]
        kinds, top = kinds_of(slabs)
        slab = kinds[top]
        small = slab_node(node, slab, operator.slab_attributes(node, slab))
        whole = self._whole_cost(index)
        offers = {} if whole is None else self._offers(small, node)
        if has_four_bits(node) and not offers:
            raise ImpossibleError("its weights of four bits are unpacked for each call")
        times = height(node.output) / slab.outputs
        again = self._read_again(node, slabs)
        if not offers:
            more = 0.0 if whole is None else self._portable(small) * times - whole
            return [Way(None, again + more, self.kernels.slab_scratch(small, None))]
        assert whole is not None
        found: list[Way] = []
        for variant in sorted(offers, key=lambda v: (offers[v].price(times), v)):
            scratch = self.kernels.slab_scratch(small, variant)
            if not found or scratch < found[-1].scratch:
                more = again + offers[variant].instructions * times - whole
                found.append(Way(variant if found else None, more, scratch))
        return found

    def _read_again(self, node: Node, slabs: Sequence[Slab]) -> float:
        """What a convolution takes more by rows, whatever its kernel."""
        if node.name != "CONV_2D":
            return 0.0
        source = node.operands()[0]
        again = sum(one.inputs for one in slabs) - height(source)
        pixels = self.rates.pixel * node.output.elements / node.output.shape[-1]
        return self.rates.read_again * max(0, again) * row_bytes(source) + pixels

    def _beside(self, band: Band, shape: Shape) -> int:
        """Bytes of tensors that live past the band and have no part in it."""
        inside = set(shape.tensors)
        later = {t for node in self.nodes[band.end :] for t in node.operands() if not t.is_constant}
        made_later = {one for node in self.nodes[band.first :] for one in node.outputs}
        return sum(tensor.nbytes for tensor in later - inside - made_later)


def _loads(schedule: Schedule, stages: int) -> list[int]:
    """The most bytes of rows that are needed while each stage works."""
    sizes = np.maximum(schedule.high - schedule.low, 0).sum(axis=0)[1::MOMENTS]
    found = [0] * stages
    for event, size in zip(schedule.events, sizes, strict=True):
        if event.stage >= 0:
            found[event.stage] = max(found[event.stage], int(size))
    return found


def _stretches(fit: Sequence[bool]) -> list[tuple[int, int]]:
    """Runs of layers that can be in a band."""
    found, start = [], None
    for index, good in enumerate([*fit, False]):
        if good and start is None:
            start = index
        elif not good and start is not None:
            found.append((start, index))
            start = None
    return found


def _cuts(crossing: Sequence[int], start: int, end: int, busy: Sequence[int]) -> list[int]:
    """Where bands of a stretch may begin and end: where what passes is no more than just before and
    behind."""
    inside = [index for index in busy if start <= index < end]
    if not inside:
        return []
    end = min(end, inside[-1] + 2)
    start = max(start, inside[0] - 1)
    middle = [
        cut
        for cut in range(start + 1, end)
        if crossing[cut] <= crossing[cut - 1] and crossing[cut] <= crossing[cut + 1]
    ]
    middle = sorted(sorted(middle, key=lambda cut: crossing[cut])[: _MOST_CUTS - 2])
    return [start, *middle, end]


def _worthwhile(runs: Sequence[Run]) -> list[Run]:
    """The runs, the cheapest first, without those that another run of the same layers beats."""
    found: list[Run] = []
    least: dict[tuple[int, int], int] = {}
    for run in sorted(runs, key=lambda one: (one.extra, one.nbytes)):
        place = (run.band.first, run.band.end)
        if run.nbytes < least.get(place, _NEVER):
            least[place] = run.nbytes
            found.append(run)
    return found


def _cheapest(limit: int, alone: Sequence[int], runs: Sequence[Run]) -> Selection | None:
    """The bands with which no moment needs more than ``limit`` bytes, and that add the fewest
    instructions. ``runs``: the cheapest first."""
    cheapest: dict[tuple[int, int], Run] = {}
    for run in runs:
        if run.nbytes <= limit:
            cheapest.setdefault((run.band.first, run.band.end), run)
    by_end: dict[int, list[Run]] = {}
    for run in cheapest.values():
        by_end.setdefault(run.band.end, []).append(run)
    best: list[tuple[float, tuple[Band, ...]]] = [(0.0, ())]
    for index, need in enumerate(alone):
        options = [best[index]] if need <= limit else []
        for run in by_end.get(index + 1, []):
            before, bands = best[run.band.first]
            options.append((before + run.extra, (*bands, run.band)))
        best.append(min(options, key=lambda one: (one[0], len(one[1])), default=(math.inf, ())))
    extra, bands = best[-1]
    return None if extra == math.inf else Selection(bands, limit, extra)
