# SPDX-License-Identifier: Apache-2.0
"""Ranges that hold what others read. Worker process only.

An operator that moves values has one scale for what goes in and what comes out, and TensorFlow's quantizer
may take it from behind: a CONCATENATION gives its own to all that leads to it, through pools, slices and
reshapes up to a convolution, whose result is then cut off at the range of what is left of it there. Nothing
is lost where only that is read. But a mean of what was cut off is another number, and a second reader gets
what was cut off. There results get the range of what they come from, before the quantizer chooses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tinyserve.compiler.graph import objects
from tinyserve.convert.quantize.ranges import has_range
from tinyserve.convert.quantize.same_scale import MOVED

_FIRST = (0,)
_MEANS = ("AVERAGE_POOL_2D", "RESIZE_BILINEAR")
"""Operators of one scale that compute with their values."""


def held(calibrated: bytes) -> bytes:
    """A calibrated float .tflite whose moved values have ranges that keep what else is read of them."""
    model = objects.unpack(calibrated)
    changed = [_hold(model, graph) for graph in model.subgraphs]
    return objects.pack(model) if any(changed) else calibrated


def _hold(model: Any, graph: Any) -> bool:
    readers = Counter(int(index) for one in graph.operators for index in one.inputs)
    readers.update(int(index) for index in graph.outputs)
    kept = {index for index, count in readers.items() if count > 1}
    changed = False
    for operator in graph.operators:
        name = objects.name_of(model, operator)
        if name not in MOVED and name not in _MEANS:
            continue
        sources = _moved(model, graph, operator, MOVED.get(name, _FIRST))
        if name in _MEANS or len(operator.outputs) > 1:
            kept.update(sources)
        for output in map(int, operator.outputs):
            wanted = [source for source in sources if source in kept]
            if wanted and has_range(graph.tensors[output]):
                kept.add(output)
                changed |= _widened(graph, output, wanted)
    return changed


def _moved(model: Any, graph: Any, operator: Any, places: tuple[int, ...] | None) -> list[int]:
    """The computed inputs whose values the operator moves."""
    inputs = [int(index) for index in operator.inputs]
    chosen = inputs if places is None else [inputs[place] for place in places if place < len(inputs)]
    return [
        index
        for index in chosen
        if index >= 0
        and has_range(graph.tensors[index])
        and not objects.is_constant(model, graph.tensors[index])
    ]


def _widened(graph: Any, output: int, sources: Iterable[int]) -> bool:
    """Whether the output's range had to be widened to hold these."""
    ranges = [graph.tensors[index].quantization for index in (output, *sources)]
    low, high = min(float(one.min[0]) for one in ranges), max(float(one.max[0]) for one in ranges)
    own = graph.tensors[output].quantization
    if low >= float(own.min[0]) and high <= float(own.max[0]):
        return False
    own.min, own.max = [low], [high]
    return True
