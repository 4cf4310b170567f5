# SPDX-License-Identifier: Apache-2.0
"""Masks of attention in integers. Worker process only.

A score that does not count gets -1e9, -3.4e38 and the like added, or in its place. In a range that holds such
a number all other scores are one and the same integer. A mask that hides as well lies a little below the
lowest score that the samples show: its exponential is nothing at the resolution of a softmax's output.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyserve.compiler.graph import objects, reader
from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.convert.worker import runtimes
from tinyserve.convert.worker.loaded import Arrays

_HIDDEN = -1e4
"""Constants from here down are masks: no score of a trained model is as low."""
_MOST_SAMPLES = 32
_BELOW = {"int8": 8.0, "int16x8": 16.0}
"""How far below the lowest score: exp(-8) is less than a tenth of a step of an int8 softmax, exp(-16) is
nothing in 16 bits."""
_PASSING = frozenset(
    {
        "ADD", "SUB", "MUL", "SELECT", "SELECT_V2", "RESHAPE", "TRANSPOSE", "BROADCAST_TO", "EXPAND_DIMS",
        "SQUEEZE", "TILE", "CONCATENATION", "MINIMUM",
    }
)  # fmt: skip


def near(data: bytes, samples: Arrays, scheme: str) -> bytes:
    """The float model with masks that lie near the scores of these samples; itself where it has none."""
    nodes = reader.read(data).main.nodes
    masks = _masks(nodes)
    if not masks:
        return data
    scores = {id(node.inputs[0]): node.inputs[0] for _, ends in masks for node in ends}
    low, high = _range(data, samples, [tensor.index for tensor in scores.values() if tensor is not None])
    if low > high:
        return data
    mask = min(low - high, low) - _BELOW[scheme]
    values = {tensor.index: mask for tensor, _ in masks}
    values.update({tensor.index: low - _BELOW[scheme] / 2 for tensor in _thresholds(nodes, set(scores))})
    return _replaced(data, values)


def _masks(nodes: list[Node]) -> list[tuple[Tensor, list[Node]]]:
    """Constants that hide scores, with the SOFTMAX nodes that they reach."""
    found = []
    for tensor in _constants(nodes):
        reached, ends = {id(tensor)}, list[Node]()
        for node in nodes:
            if reached.isdisjoint(map(id, node.inputs)):
                continue
            if node.name == "SOFTMAX":
                ends.append(node)
            elif node.name in _PASSING:
                reached.update(map(id, node.outputs))
        if ends:
            found.append((tensor, ends))
    return found


def _constants(nodes: list[Node]) -> Iterable[Tensor]:
    read = {id(tensor): tensor for node in nodes for tensor in node.inputs if tensor is not None}
    for tensor in read.values():
        if tensor.data is not None and tensor.dtype is DType.FLOAT32 and (tensor.data <= _HIDDEN).any():
            yield tensor


def _thresholds(nodes: list[Node], scores: set[int]) -> list[Tensor]:
    """Constants with which the largest score of a row is compared, to know whether all are hidden."""
    largest = set(scores)
    for node in nodes:
        if node.name in ("REDUCE_MAX", "BROADCAST_TO", "RESHAPE") and not largest.isdisjoint(
            map(id, node.inputs)
        ):
            largest.update(map(id, node.outputs))
    known = list(_constants(nodes))
    compared = [
        node for node in nodes if node.name == "LESS" and not largest.isdisjoint(map(id, node.inputs))
    ]
    return [tensor for tensor in known if any(tensor in node.inputs for node in compared)]


def _range(data: bytes, samples: Arrays, scores: list[int]) -> tuple[float, float]:
    """The lowest and the highest score that is not hidden."""
    low, high = np.inf, -np.inf
    for tensors in runtimes.each_trace(data, [a[:_MOST_SAMPLES] for a in samples], lambda *_: None):
        for index in scores:
            values = tensors.get(index, np.zeros(0, np.float32))
            seen = values[values > _HIDDEN / 2]
            low, high = min(low, float(seen.min(initial=low))), max(high, float(seen.max(initial=high)))
    return low, high


def _replaced(data: bytes, values: dict[int, float]) -> bytes:
    model: Any = objects.unpack(data)
    graph = model.subgraphs[0]
    for index, value in values.items():
        tensor = graph.tensors[index]
        old = np.asarray(objects.values(model, tensor))
        tensor.buffer = objects.buffer(model, np.where(old <= _HIDDEN, np.float32(value), old))
    return objects.pack(model)
