# SPDX-License-Identifier: Apache-2.0
"""What a pipeline gives, worked out in Python node by node: each model alone, conditions in numpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.events import Event
from tinyserve.compiler.host.model import HostModel
from tinyserve.pipeline import condition
from tinyserve.pipeline.condition import Both, Comparison, Condition, Either, Ran
from tinyserve.pipeline.spec import AverageNode, ModelNode, Pipeline, VoteNode

Array = npt.NDArray[Any]
_SIGNS = {
    ">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less, "==": np.equal,
    "!=": np.not_equal,
}  # fmt: skip


@dataclass
class Given:
    """What the nodes give in one inference: values of those that ran, in real units, and which did."""

    raw: dict[str, Array] = field(default_factory=dict)
    real: dict[str, Array] = field(default_factory=dict)
    ran: dict[str, bool] = field(default_factory=dict)


class Reference:
    """Pipelines of classifiers of one int8 input "x" and one output of int8 scores."""

    def __init__(self, pipeline: Pipeline, directory: Path) -> None:
        self.pipeline = pipeline
        nodes = [node for node in pipeline.nodes if isinstance(node, ModelNode)]
        self.models = {
            node.name: HostModel(compile_model((directory / node.model).read_bytes())) for node in nodes
        }

    def run(self, x: Array) -> Given:
        """One inference. Nodes stand in an order in which they can run."""
        found = Given()
        for node in self.pipeline.nodes:
            holds = node.when is None or self._holds(condition.parse(node.when, node.name), found)
            if isinstance(node, ModelNode):
                found.ran[node.name] = holds
                (raw,) = self.models[node.name].run([x])
                if holds and node.where == "device":
                    found.raw[node.name] = raw
                    found.real[node.name] = ((raw.astype(np.float32) + 128) / 256)[0]
            elif isinstance(node, (AverageNode, VoteNode)):
                there = [place for place in node.input if found.ran[place]]
                found.ran[node.name] = holds and bool(there)
                found.real[node.name] = self._mixed(node, there, found)
        return found

    def _mixed(self, node: AverageNode | VoteNode, there: list[str], found: Given) -> Array:
        weights = dict(zip(node.input, node.weights or [1.0] * len(node.input), strict=True))
        total = sum(weights[place] for place in there)
        if not total:
            return np.zeros(4, np.float32)
        scores = [found.real[place] for place in there]
        if isinstance(node, VoteNode):
            scores = [np.eye(4)[np.argmax(one)] for one in scores]
        return sum(weights[place] * one for place, one in zip(there, scores, strict=True)) / total  # type: ignore[no-any-return]

    def _holds(self, given: Condition, found: Given) -> bool:
        if isinstance(given, Comparison):
            name = given.operand.place.partition(".")[0]
            return found.ran[name] and self._compared(given, found.real[name])
        if isinstance(given, Ran):
            return found.ran[given.node]
        if isinstance(given, Both):
            return all(self._holds(one, found) for one in given.conditions)
        if isinstance(given, Either):
            return any(self._holds(one, found) for one in given.conditions)
        return not self._holds(given.condition, found)

    def _compared(self, given: Comparison, scores: Array) -> bool:
        ranked = np.sort(scores)
        operand = given.operand
        value = {
            "value": lambda: scores[operand.entry], "max": lambda: ranked[-1], "min": lambda: ranked[0],
            "mean": lambda: scores.mean(dtype=np.float32), "argmax": lambda: np.argmax(scores),
            "margin": lambda: ranked[-1] - ranked[-2],
        }[operand.function]()  # fmt: skip
        return bool(_SIGNS[given.sign](np.float32(value), np.float32(given.value)))


def escalated(events: list[Event], name: str) -> list[tuple[int, tuple[bytes, ...]]]:
    """The inferences in which a gateway's node was asked for, and with what."""
    return [(event.inference, event.payload) for event in events if event.name == name]
