# SPDX-License-Identifier: Apache-2.0
"""One range for the tensors that have the same part in every turn of an unrolled recurrent layer.

Calibration finds a range of its own for each turn. With the union of these the turns have the same weights,
multipliers and tables, which are in flash once: with ranges of their own, a GRU of 32 turns has 32 copies.

Front ends that write the turns themselves call tensors by their part (``alike``). Else who has the same
part is read off the graph, whichever front end made it: a product with the same weights that depends on
itself and on an input of the turn's own is a recurrence (the two products of an attention have no weights,
and a layer that is used again in series has no such input); what it reads is the state; operators with the
same constants whose inputs have the same parts give the same part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tinyserve.compiler.graph import objects
from tinyserve.convert import alike
from tinyserve.convert.quantize.ranges import has_range

_PRODUCTS = ("FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D")
_SLICES = ("STRIDED_SLICE", "SLICE", "GATHER")
_FEW = 4
"""Turns from which on parts of one tensor are taken for the inputs of turns: fewer may be gates."""


@dataclass(frozen=True, eq=False)
class _Operator:
    """``key``: kind, options and constants; ``inputs``: place and tensor of those that are computed."""

    key: str
    kind: str
    inputs: tuple[tuple[int, int], ...]
    outputs: tuple[int, ...]

    @property
    def read(self) -> tuple[int, ...]:
        return tuple(tensor for _, tensor in self.inputs)


class _Parts:
    """Tensors that have the same part, as disjoint sets."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}
        self._size: Counter[int] = Counter()

    def of(self, tensor: int) -> int:
        """A number of the part."""
        part = tensor
        while part in self._above:
            part = self._above[part]
        if part != tensor:
            self._above[tensor] = part
        return part

    def size(self, part: int) -> int:
        return self._size[part] or 1

    def unite(self, tensors: Iterable[int]) -> bool:
        """Whether that was news."""
        found = list(dict.fromkeys(self.of(one) for one in tensors))
        for other in found[1:]:
            self._size[found[0]] = self.size(found[0]) + self.size(other)
            self._above[other] = found[0]
        return len(found) > 1

    def groups(self) -> list[list[int]]:
        made = defaultdict(list)
        for tensor in {*self._above, *self._above.values()}:
            made[self.of(tensor)].append(tensor)
        return list(made.values())


def united(calibrated: bytes) -> bytes:
    """A calibrated float .tflite in which the turns of recurrent layers have one range per part."""
    model = objects.unpack(calibrated)
    graph = model.subgraphs[0]
    changed = False
    for group in parts(model, graph):
        ranges = [graph.tensors[index].quantization for index in group if has_range(graph.tensors[index])]
        if len(ranges) > 1:
            changed = True
            low = min(float(one.min[0]) for one in ranges)
            high = max(float(one.max[0]) for one in ranges)
            for one in ranges:
                one.min, one.max = [low], [high]
    return objects.pack(model) if changed else calibrated


def parts(model: Any, graph: Any) -> list[list[int]]:
    """The tensors of each part that several turns have; none where nothing recurs."""
    found = _Parts()
    for tensors in _called_alike(graph):
        found.unite(tensors)
    operators = _operators(model, graph)
    products = _alike([one for one in operators if one.kind in _PRODUCTS and len(one.inputs) == 1])
    recurrent = [group for group in products if _recurs(group, operators)]
    for group in recurrent:
        for place in range(len(group[0].inputs)):
            found.unite(one.read[place] for one in group)
    turns = {len(group) for group in recurrent}
    for tensors in _beside(operators, products, {*turns, *(count + 1 for count in turns)}):
        found.unite(tensors)
    repeated = _alike(operators)
    while recurrent and sum(_carry_on(group, found) for group in repeated):
        pass
    return found.groups()


def _called_alike(graph: Any) -> Iterable[list[int]]:
    made: dict[str, list[int]] = defaultdict(list)
    for index, tensor in enumerate(graph.tensors):
        part = alike.role(objects.text(tensor.name))
        if part:
            made[part].append(index)
    return made.values()


def _operators(model: Any, graph: Any) -> list[_Operator]:
    made = []
    for operator in graph.operators:
        kind = objects.name_of(model, operator)
        given = [int(index) for index in operator.inputs]
        constants = [_constant(model, graph, index) for index in given]
        options = getattr(operator, "builtinOptions", None)
        key = repr((kind, sorted(vars(options).items()) if options else (), constants))
        computed = [(place, one) for place, one in enumerate(given) if constants[place] is None]
        made.append(_Operator(key, kind, tuple(computed), tuple(int(one) for one in operator.outputs)))
    return made


def _constant(model: Any, graph: Any, index: int) -> tuple[Any, ...] | None:
    """What a constant is known by; None of what is computed."""
    if index < 0:
        return ()
    tensor = graph.tensors[index]
    if not objects.is_constant(model, tensor):
        return None
    data = model.buffers[tensor.buffer].data
    shape = () if tensor.shape is None else tensor.shape
    return tuple(int(one) for one in shape), hash(bytes(data)), len(data)


def _alike(operators: Sequence[_Operator]) -> list[list[_Operator]]:
    """Those with the same kind, options and constants, where there are several."""
    groups: dict[str, list[_Operator]] = defaultdict(list)
    for one in operators:
        groups[one.key].append(one)
    return [group for group in groups.values() if len(group) > 1]


def _recurs(group: Sequence[_Operator], operators: Sequence[_Operator]) -> bool:
    """Whether one of a group reads what was computed from another's output and an input of its turn's own. A
    layer that is used again in series has none: what it reads beside comes from before the first use."""
    first = operators.index(group[0])
    members = {id(one) for one in group[1:]}
    before = _sources(operators[:first], group[0].read)
    computed, mixed = set(group[0].outputs), set[int]()
    for one in operators[first + 1 :]:
        if not computed.intersection(one.read):
            continue
        if id(one) in members and mixed.intersection(one.read):
            return True
        if mixed.intersection(one.read) or any(t not in computed and t not in before for t in one.read):
            mixed.update(one.outputs)
        computed.update(one.outputs)
    return False


def _sources(operators: Sequence[_Operator], tensors: Iterable[int]) -> set[int]:
    """These, and all that they are computed from."""
    found = set(tensors)
    for one in reversed(operators):
        if found.intersection(one.outputs):
            found.update(one.read)
    return found


def _beside(
    operators: Sequence[_Operator], products: Sequence[Sequence[_Operator]], turns: set[int]
) -> Iterable[list[int]]:
    """What as many turns read and compute that does not recur: products with the inputs, and the inputs."""
    for group in products:
        if len(group) in turns:
            yield from ([one.outputs[0] for one in group], [one.read[0] for one in group])
    for one in operators:
        if len(one.outputs) in turns and len(one.outputs) >= _FEW:
            yield list(one.outputs)
    slices: dict[tuple[str, tuple[int, ...]], list[int]] = defaultdict(list)
    for one in operators:
        if one.kind in _SLICES:
            slices[one.kind, one.read].append(one.outputs[0])
    yield from (group for group in slices.values() if len(group) in turns and len(group) >= _FEW)


def _carry_on(group: Sequence[_Operator], found: _Parts) -> bool:
    """Gives outputs one part where inputs have one. An output that most of the others do not share a part
    with, but has one already (the first state, which is computed in another way), keeps that."""
    news = False
    by_inputs: dict[tuple[int, ...], list[_Operator]] = defaultdict(list)
    for one in group:
        by_inputs[tuple(found.of(tensor) for tensor in one.read)].append(one)
    for same in by_inputs.values():
        for place in range(len(same[0].outputs)) if len(same) > 1 else ():
            outputs = [one.outputs[place] for one in same]
            known = Counter(found.of(tensor) for tensor in outputs if found.size(found.of(tensor)) > 1)
            most = known.most_common(1)[0][0] if known else None
            news |= found.unite(t for t in outputs if found.size(found.of(t)) == 1 or found.of(t) == most)
    return news
