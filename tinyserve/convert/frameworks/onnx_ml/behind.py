# SPDX-License-Identifier: Apache-2.0
"""What exporters write behind an ensemble of trees: factors, divisors and offsets become part of the leaves,
and one activation may end the model.

LightGBM's probabilities are multiplied by one, its random forests' sums divided by the number of trees, and
counts (Poisson, gamma, Tweedie) are the exponential of the sum, times a constant in XGBoost's models.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.forest import Forest
from tinyserve.convert.frameworks.onnx_import.naming import describe
from tinyserve.convert.frameworks.onnx_ml.attributes import Attributes
from tinyserve.errors import UnsupportedError
from tinyserve.words import counted

Array = npt.NDArray[Any]
_PASSING = frozenset(["Cast", "Identity"])
_ACTIVATIONS = {"Exp": "exp", "Sigmoid": "sigmoid", "Softmax": "softmax"}


@dataclass(frozen=True)
class Behind:
    """outputs = activation(trees * factor + offset), which are the model's output ``name``."""

    name: str
    factor: Array
    offset: Array
    activation: str

    def on(self, forest: Forest) -> Forest:
        """The trees with their factors and offsets in leaves and base."""
        unchanged = (self.factor == 1).all() and not self.offset.any()
        if unchanged:
            return replace(forest, activation=self.activation)
        several = len(forest.base) > 1 and forest.leaves.ndim == 1
        factor = np.broadcast_to(self.factor, forest.base.shape)
        return replace(
            forest,
            leaves=forest.leaves * (self._of_leaves(forest, factor) if several else factor),
            base=forest.base * factor + np.broadcast_to(self.offset, forest.base.shape) * forest.divisor,
            activation=self.activation,
        )

    @staticmethod
    def _of_leaves(forest: Forest, factor: Array) -> Array:
        """The factor of each leaf of trees that add to one output each."""
        assert forest.targets is not None
        made, tree = np.ones(len(forest.leaves)), np.zeros(len(forest.feature), np.intp)
        tree[forest.roots] = 1
        of_node = np.cumsum(tree) - 1
        parents, sides = np.nonzero(forest.children < 0)
        made[-1 - forest.children[parents, sides]] = factor[forest.targets[of_node[parents]]]
        return made


def read(model: Any, trees: Any, activation: str, outputs: int) -> Behind:
    """Follows the result of ``trees``, whose ``outputs`` values went through ``activation``, to the output
    of the model. Raises UnsupportedError that names what has no form here."""
    ends = [value.name for value in model.graph.output]
    name = trees.output[1 if trees.op_type == "TreeEnsembleClassifier" else 0]
    found = Behind(name, np.ones(1), np.zeros(1), activation)
    constants = _constants(model)
    while found.name not in ends:
        readers = [node for node in model.graph.node if found.name in node.input]
        if len(readers) != 1:
            raise _refusal(trees, readers[0] if readers else trees)
        step = _step(found, readers[0], constants, outputs)
        if step is None:
            raise _refusal(trees, readers[0])
        found = replace(step, name=str(readers[0].output[0]))
    if len(ends) > 1:
        raise UnsupportedError(
            f"{describe(trees)}: the model has {counted(len(ends), 'output')} beside its label",
            f"export it with '{found.name}' as its only output",
        )
    return found


def _step(found: Behind, node: Any, constants: Mapping[str, Array], outputs: int) -> Behind | None:
    """With one more operator; None where there is no form for it."""
    if node.op_type in _PASSING:
        return found
    if node.op_type == "Normalizer":  # of rows that sum up to one already
        norm = Attributes(node).text("norm", "MAX")
        return found if norm == "L1" and found.activation == "softmax" else None
    if node.op_type in _ACTIVATIONS:
        possible = not found.activation and (node.op_type != "Softmax" or _over_classes(node))
        return replace(found, activation=_ACTIVATIONS[node.op_type]) if possible else None
    if node.op_type in ("Mul", "Div", "Add", "Sub"):
        first = node.input[0] == found.name
        other = constants.get(node.input[1 if first else 0])
        if other is not None and _is_row(other, outputs) and np.isfinite(other).all():
            return _linear(found, node.op_type, other.astype(np.float64).reshape(-1), first)
    return None


def _linear(found: Behind, kind: str, value: Array, first: bool) -> Behind | None:
    """``first``: the trees are what is divided, or subtracted from."""
    if kind == "Div":
        return None if not first or (value == 0).any() else _scaled(found, 1 / value)
    if kind == "Mul":
        return _scaled(found, value)
    if found.activation:
        return found if first and not value.any() else None
    if kind == "Sub" and not first:
        return replace(found, factor=-found.factor, offset=value - found.offset)
    return replace(found, offset=found.offset + (value if kind == "Add" else -value))


def _scaled(found: Behind, factor: Array) -> Behind | None:
    if found.activation == "exp" and (factor > 0).all():  # c exp(x) = exp(x + ln c)
        return replace(found, offset=found.offset + np.log(factor))
    if not found.activation:
        return replace(found, factor=found.factor * factor, offset=found.offset * factor)
    return found if (factor == 1).all() else None


def _is_row(value: Array, outputs: int) -> bool:
    """Whether it is one number, or one for each output, and leaves their shape as it is."""
    in_a_row = value.ndim == 0 or value.shape[-1] == value.size
    return value.ndim <= 2 and value.size in (1, outputs) and in_a_row


def _over_classes(node: Any) -> bool:
    return Attributes(node).integer("axis", -1) in (1, -1)


def _constants(model: Any) -> dict[str, Array]:
    onnx = importlib.import_module("onnx")
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and [a.name for a in node.attribute] == ["value"]:
            found[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    return found


def _refusal(trees: Any, node: Any) -> UnsupportedError:
    result = trees.output[1 if trees.op_type == "TreeEnsembleClassifier" else 0]
    return UnsupportedError(
        f"{describe(node)}: {node.op_type} behind trees has no form here: only factors, offsets and one "
        "activation do",
        f"cut the model behind its trees, with onnx.utils.extract_model and '{result}' as its output, and "
        "compute the rest in the application; some exporters write a random forest so that it answers "
        "otherwise than the trained one: compare first",
    )
