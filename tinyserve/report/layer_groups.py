# SPDX-License-Identifier: Apache-2.0
"""Layers as rows of a report: each by itself where there are few, alike ones together where there are many
(an unrolled recurrent layer has hundreds)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.bench.counts.profiling import FunctionCount
from tinyserve.bench.result import Layer
from tinyserve.words import counted

MOST_ROWS = 40
_NUMBERS = re.compile(r"[_\d]*\d+")


@dataclass(frozen=True)
class Row:
    """Layers of one operator and kernel. ``ticks`` and ``macs`` are their sums, ``share`` is of all ticks."""

    name: str
    layers: tuple[Layer, ...]
    share: float

    @property
    def first(self) -> Layer:
        return self.layers[0]

    @property
    def ticks(self) -> int:
        return sum(layer.ticks for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def variants(self) -> str:
        """The kernels' variants, each once."""
        return ", ".join(dict.fromkeys(layer.variant for layer in self.layers))

    @property
    def place(self) -> str:
        """'7', or '7 …' of several."""
        return str(self.first.index) if len(self.layers) == 1 else f"{self.first.index} …"


def rows(layers: Sequence[Layer], most: int = MOST_ROWS) -> list[Row]:
    """In the order of the first of each; beyond ``most`` layers those with one operator, kernel and name (but
    for numbers in it) are one row, and where that is too many still, those with one operator."""
    if len(layers) <= most:
        return _made(layers, [str(layer.index) for layer in layers])
    found = _made(layers, [f"{one.op} {one.variant} {_NUMBERS.sub('', one.name)}" for one in layers])
    return found if len(found) <= most else _made(layers, [layer.op for layer in layers])


def functions(counts: Sequence[FunctionCount], layers: Sequence[Layer]) -> list[FunctionCount]:
    """The heaviest first; beyond ``MOST_ROWS`` those of layers with one operator and kernel are one row, and
    those of one name but for numbers in it."""
    if len(counts) <= MOST_ROWS:
        return list(counts)
    known = {layer.name: layer for layer in layers}
    groups: dict[str, list[FunctionCount]] = {}
    for one in counts:
        layer = known.get(one.name)
        stem = f"{layer.op} {layer.variant}" if layer is not None else _NUMBERS.sub("", one.name)
        groups.setdefault(stem, []).append(one)
    made = [
        FunctionCount(_title(group, known.get(group[0].name)), sum(one.instructions for one in group))
        for group in groups.values()
    ]
    return sorted(made, key=lambda one: -one.instructions)


def _title(group: Sequence[FunctionCount], layer: Layer | None) -> str:
    if len(group) == 1:
        return group[0].name
    kind = f" ({layer.op})" if layer is not None else ""
    return f"{group[0].name} and {len(group) - 1} more{kind}"


def grouped_note(layers: int, shown: int) -> str:
    """Says that rows stand for several layers; empty where each has its own."""
    return f"{counted(layers, 'layer')}, alike ones in one row" if shown < layers else ""


def heaviest(found: Sequence[Row], most: int = 8) -> list[Row]:
    """The rows with the most ticks, and behind them the others as one."""
    ordered = sorted(found, key=lambda row: -row.ticks)
    rest = [layer for row in ordered[most:] for layer in row.layers]
    if not rest:
        return ordered
    share = sum(row.share for row in ordered[most:])
    return [*ordered[:most], Row(f"{len(rest)} others", tuple(rest), share)]


def _made(layers: Sequence[Layer], keys: Sequence[str]) -> list[Row]:
    total = sum(layer.ticks for layer in layers) or 1
    groups: dict[str, list[Layer]] = {}
    for key, layer in zip(keys, layers, strict=True):
        groups.setdefault(key, []).append(layer)
    names = _told_apart([_name(group) for group in groups.values()], list(groups.values()))
    return [
        Row(name, tuple(group), sum(layer.ticks for layer in group) / total)
        for name, group in zip(names, groups.values(), strict=True)
    ]


def _told_apart(names: list[str], groups: list[list[Layer]]) -> list[str]:
    """Names that several rows have get the operator, and where that is not enough the number."""
    operators = [f"({group[0].op})" for group in groups]
    numbers = [f"#{group[0].index}" for group in groups]
    for added in (operators, numbers):
        often = {name for name, count in Counter(names).items() if count > 1}
        names = [f"{name} {more}" if name in often else name for name, more in zip(names, added, strict=True)]
    return names


def _name(group: Sequence[Layer]) -> str:
    if len(group) == 1:
        return group[0].name
    stems = {_NUMBERS.sub("", layer.name) for layer in group}
    return f"{group[0].name if len(stems) == 1 else group[0].op} and {len(group) - 1} more"
