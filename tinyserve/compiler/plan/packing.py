# SPDX-License-Identifier: Apache-2.0
"""Where to put pieces of memory so that their total is least: an exact model, a bounded search, a bound.

Every constraint is about two pieces. If both are needed at one time, then either ``b`` starts at least
``above[a][b]`` bytes after ``a``, or ``a`` starts at least ``above[b][a]`` bytes after ``b``. For pieces that
may not share bytes these distances are the lower piece's size; where a kernel may write its output over
its input the distance from output to input is the kernel's lead (negative where the output may even start
inside the input).

An optimal placement, its pieces sorted by offset, is found again by placing the pieces in that order, each
at the lowest offset that its placed neighbours allow. So the search is over orders.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

EFFORT = 200_000
"""Neighbour visits of one search: about 0.1 s of CPython."""
_EXACT_PIECES = 7  # largest set whose optimum the bound finds by trying the orders


@dataclass
class Problem:
    """Pieces by number: sizes and alignments in bytes, and the least distances between neighbours.

    ``above[a][b]``: how far ``b`` must start after ``a`` where it lies above it.
    ``together[a]``: neighbours that may also start exactly where ``a`` does.
    ``born`` and ``dies``: the calls between which a piece is needed. ``cliques``: pieces needed at one time.
    """

    sizes: list[int]
    alignments: list[int]
    born: list[int]
    dies: list[int]
    above: list[dict[int, int]]
    together: list[set[int]]
    cliques: list[frozenset[int]] = field(default_factory=list)


@dataclass(frozen=True)
class Packing:
    """Offsets by piece, the bytes that they span, and a proven lower bound of that."""

    offsets: list[int]
    total: int
    bound: int


def pack(problem: Problem, effort: int = EFFORT) -> Packing:
    """Offsets of small total. Deterministic, of bounded effort; optimal where ``total == bound``."""
    total, offsets, order = min(
        (_extent(problem, offsets), offsets, order)
        for order in good_orders(problem)
        for offsets in [first_fit(problem, order)]
    )
    bound = lower_bound(problem, total)
    if total > bound:
        search = _Exact(problem, total, offsets, bound, effort)
        if search.run():
            return Packing(search.offsets, search.total, search.total)
        found = Packing(search.offsets, search.total, bound)
        return found if found.total == bound else _improve(problem, order, found, effort)
    return Packing(offsets, total, bound)


def fits(problem: Problem, most: int, effort: int = EFFORT) -> bool:
    """Whether ``pack`` finds a total of at most ``most``; most answers need no search."""
    if any(_extent(problem, first_fit(problem, order)) <= most for order in good_orders(problem)):
        return True
    return not is_refuted(problem, most) and pack(problem, effort).total <= most


def first_fit(problem: Problem, order: list[int]) -> list[int]:
    """Places the pieces in this order, each at the lowest offset that is allowed beside the placed ones."""
    offsets = [-1] * len(problem.sizes)
    for piece in order:
        offsets[piece] = lowest_offset(problem, offsets, piece)
    return offsets


def lowest_offset(problem: Problem, offsets: list[int], piece: int, lowest: int = 0) -> int:
    """The lowest offset, from ``lowest`` up, that the placed neighbours (those with offsets >= 0) allow."""
    forbidden = []
    above, together = problem.above, problem.together[piece]
    for other, distance in above[piece].items():
        place = offsets[other]
        if place >= 0:
            start, end = place - distance, place + above[other][piece]
            if other in together:
                forbidden += [(start, place), (place, end)]
            elif start < end:
                forbidden.append((start, end))
    forbidden.sort()
    alignment = problem.alignments[piece]
    lowest = -(-lowest // alignment) * alignment
    for start, end in forbidden:
        if lowest <= start:
            break
        if lowest < end:
            lowest = -(-end // alignment) * alignment
    return lowest


def _extent(problem: Problem, offsets: list[int]) -> int:
    return max((offset + size for offset, size in zip(offsets, problem.sizes, strict=True)), default=0)


def good_orders(problem: Problem) -> list[list[int]]:
    """Orders that do well: by size, by area (size and lifetime), by time forwards and backwards, by the load
    of the busiest moment."""
    pieces = range(len(problem.sizes))
    sizes, born, dies = problem.sizes, problem.born, problem.dies
    weight = [0] * len(sizes)
    for clique in problem.cliques:
        load = sum(sizes[piece] for piece in clique)
        for piece in clique:
            weight[piece] = max(weight[piece], load)
    keys = (
        lambda p: (-sizes[p], born[p], p),
        lambda p: (-sizes[p], -born[p], p),
        lambda p: (-sizes[p] * (dies[p] - born[p] + 1), born[p], p),
        lambda p: (born[p], -sizes[p], p),
        lambda p: (-dies[p], -sizes[p], p),
        lambda p: (-weight[p], -sizes[p], p),
        lambda p: (-weight[p], -born[p], p),
        lambda p: (born[p] - dies[p], -sizes[p], p),
    )
    return [sorted(pieces, key=key) for key in keys]


class _Exact:
    """Branch and bound over all orders of non-decreasing offsets, within the effort.

    A branch ends where a piece that is still to be placed, at or above the last one, would reach the best
    total known.
    """

    def __init__(self, problem: Problem, total: int, offsets: list[int], bound: int, effort: int) -> None:
        self.problem, self.total, self.offsets, self.bound = problem, total, offsets, bound
        self._effort = effort
        self._place = [-1] * len(offsets)
        self._waiting = set(range(len(offsets)))

    def run(self) -> bool:
        """Whether the search came to its end, so that ``total`` is optimal."""
        self._descend(0)
        return self._effort > 0 or self.total <= self.bound

    def _descend(self, lowest: int) -> None:
        problem = self.problem
        if not self._waiting:
            self.total, self.offsets = _extent(problem, self._place), self._place.copy()
            return
        choices = []
        for piece in self._waiting:
            self._effort -= 1 + len(problem.above[piece])
            offset = lowest_offset(problem, self._place, piece, lowest)
            if offset + problem.sizes[piece] >= self.total:
                return
            choices.append((offset, -problem.sizes[piece], piece))
        # A piece that starts beyond another's end cannot be next: that other would have to come first.
        horizon = min(offset - size for offset, size, _ in choices)
        for offset, _, piece in sorted(choices):
            if offset > horizon or self._effort <= 0 or self.total <= self.bound:
                return
            self._place[piece] = offset
            self._waiting.remove(piece)
            self._descend(offset)
            self._waiting.add(piece)
            self._place[piece] = -1


def _improve(problem: Problem, order: list[int], best: Packing, effort: int) -> Packing:
    """Local search over orders: moves a piece at the peak, or one of its neighbours, to an earlier place.

    Sideways steps are taken too, so that the search crosses plateaus.
    """
    chance = random.Random(0)
    visits = sum(len(neighbours) for neighbours in problem.above) + len(order)
    offsets = first_fit(problem, order)
    total = _extent(problem, offsets)
    for _ in range(effort // max(1, visits)):
        peak = [p for p in order if offsets[p] + problem.sizes[p] == total]
        piece = chance.choice(peak)
        if chance.random() < 0.5 and problem.above[piece]:
            piece = chance.choice(list(problem.above[piece]))
        candidate = order.copy()
        candidate.remove(piece)
        candidate.insert(chance.randrange(len(order)), piece)
        placed = first_fit(problem, candidate)
        extent = _extent(problem, placed)
        if extent <= total:
            order, offsets, total = candidate, placed, extent
            if total < best.total:
                best = Packing(placed, total, best.bound)
                if total <= best.bound:
                    break
    return best


def lower_bound(problem: Problem, reached: int) -> int:
    """Bytes that no placement can go below, given a placement that needs ``reached``.

    The most that one moment needs by itself, raised as far as propagation refutes smaller totals.
    """
    low = _moment_bound(problem)
    high = reached
    while low < high:
        middle = (low + high) // 2
        if is_refuted(problem, middle):
            low = middle + 1
        else:
            high = middle
    return low


def is_refuted(problem: Problem, total: int) -> bool:
    """Whether arc consistency shows that ``total`` bytes are too few. Exact where the pieces form a chain.

    Each piece keeps a range of offsets. Of a neighbour's range only the ends matter: what is too close to
    both of them is too close to all between.
    """
    low = [0] * len(problem.sizes)
    high = [
        (total - size) // alignment * alignment
        for size, alignment in zip(problem.sizes, problem.alignments, strict=True)
    ]
    waiting = list(range(len(low)))
    steps = EFFORT // 20
    while waiting and steps > 0:
        other = waiting.pop()
        for piece, distance in problem.above[other].items():
            steps -= 1
            start, end = high[other] - problem.above[piece][other], low[other] + distance
            gaps = [(start, end)]
            if piece in problem.together[other]:
                gaps = [(start, min(end, low[other])), (max(start, high[other]), end)]
            alignment = problem.alignments[piece]
            before = low[piece], high[piece]
            for start, end in gaps:
                if start < low[piece] < end:
                    low[piece] = -(-end // alignment) * alignment
                if start < high[piece] < end:
                    high[piece] = start // alignment * alignment
            if low[piece] > high[piece]:
                return True
            if (low[piece], high[piece]) != before:
                waiting.append(piece)
    return any(first > last for first, last in zip(low, high, strict=True))


def _moment_bound(problem: Problem) -> int:
    """The most that the pieces of one moment need by themselves."""
    best = 0
    by_load = sorted(problem.cliques, key=lambda c: (-sum(problem.sizes[p] for p in c), sorted(c)))
    for clique in by_load:
        load = sum(problem.sizes[piece] for piece in clique)
        if load <= best:
            break
        best = max(best, _clique_bound(problem, clique, load))
    return best


def _clique_bound(problem: Problem, clique: frozenset[int], load: int) -> int:
    """The least extent of pieces that are all needed at once."""
    sizes, alignments = problem.sizes, problem.alignments
    pairs = [(a, b) for a in clique for b in clique if a != b]
    # Where two may start together, or a negative lead ties down neither order, they are left unconstrained.
    above = dict.fromkeys(pairs, 0)
    for a, b in pairs:
        if b not in problem.together[a] and problem.above[a][b] >= 0 and problem.above[b][a] >= 0:
            above[a, b] = problem.above[a][b]
    sharing = {piece for pair, distance in above.items() if distance < sizes[pair[0]] for piece in pair}
    if not sharing:
        return load
    if len(clique) > _EXACT_PIECES:
        apart = sum(sizes[piece] for piece in clique - sharing)
        return apart + max(sizes[piece] for piece in sharing)
    best = load

    def extend(placed: dict[int, int], extent: int) -> None:
        nonlocal best
        if len(placed) == len(clique):
            best = min(best, extent)
            return
        for piece in sorted(clique - placed.keys()):
            offset = max((at + above[other, piece] for other, at in placed.items()), default=0)
            offset = -(-offset // alignments[piece]) * alignments[piece]
            reach = max(extent, offset + sizes[piece])
            if reach < best:
                extend({**placed, piece: offset}, reach)

    extend({}, 0)
    return best
