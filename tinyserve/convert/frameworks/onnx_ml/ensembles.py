# SPDX-License-Identifier: Apache-2.0
"""TreeEnsembleClassifier and TreeEnsembleRegressor as a ``Forest``, with what stands before them and behind.

Scalers in front move the thresholds, other linear steps (PCA) become a dense layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks import forest, trees
from tinyserve.convert.frameworks.forest import Forest
from tinyserve.convert.frameworks.onnx_import.naming import describe
from tinyserve.convert.frameworks.onnx_ml import behind
from tinyserve.convert.frameworks.onnx_ml.attributes import Attributes, classic_nodes, is_classic
from tinyserve.convert.frameworks.onnx_ml.plain import TREES
from tinyserve.errors import ModelError, UnsupportedError
from tinyserve.words import counted

Array = npt.NDArray[Any]
_LEFT = {"BRANCH_LEQ": (False, False), "BRANCH_LT": (True, False),
         "BRANCH_GT": (False, True), "BRANCH_GTE": (True, True)}  # fmt: skip
"""Whether equal features go the other way than with <=, and whether the branches change places."""
_AFFINE = frozenset(["Sub", "Add", "Mul", "Div", "MatMul", "Gemm", "Scaler", "Cast", "Identity", "Reshape"])
_PASSING = frozenset(["Cast", "Identity"])
Prefix = Callable[[str, Array], Array]
"""What a value of the model is for rows of features."""
_Weights = dict[tuple[int, int], list[tuple[int, float]]]
"""By tree and node the classes or targets of a leaf, and what it adds to them."""


def find(model: Any) -> Any | None:
    """The node of trees; None where there is none. Raises UnsupportedError for several."""
    found = [node for node in classic_nodes(model) if node.op_type in TREES]
    if len(found) > 1:
        raise _refusal(found[1], "a second ensemble of trees: only one makes a model here")
    return found[0] if found else None


def write(model: Any, node: Any, width: int, run: Prefix) -> bytes:
    """The float .tflite of a model whose core are trees. ``width``: how many features it takes.

    Raises UnsupportedError or ModelError that names the node.
    """
    outputs = _outputs(node, Attributes(node))
    after = behind.read(model, node, outputs.activation, outputs.count)
    steps, linear = _before(model, node, width, run)
    made = _forest(node, len(linear.bias) if linear else width, steps)
    return trees.write(after.on(made), linear, after.name)


# --- what stands before


@dataclass(frozen=True)
class _Scaling:
    """A Scaler as forest's steps are: it keeps the order of each feature."""

    offset: Array
    scale: Array

    def transform(self, rows: Array) -> Array:
        scaled: Array = (rows.astype(np.float32) - self.offset) * self.scale
        return scaled


def _before(model: Any, node: Any, width: int, run: Prefix) -> tuple[list[_Scaling], trees.Linear | None]:
    makers = {name: n for n in model.graph.node for name in n.output}
    chain, value = list[Any](), node.input[0]
    waiting = [value]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker not in chain:
            chain.append(maker)
            waiting += maker.input
    for step in chain:
        if step.op_type not in _AFFINE:
            raise _refusal(step, f"{step.op_type} before trees has no form here")
    scalings = [_scaling(step) for step in reversed(chain) if step.op_type not in _PASSING]
    if all(scaling is not None for scaling in scalings):
        return [scaling for scaling in scalings if scaling is not None], None
    return [], _linear(node, width, lambda rows: run(value, rows))


def _scaling(node: Any) -> _Scaling | None:
    if not (is_classic(node) and node.op_type == "Scaler"):
        return None
    read = Attributes(node)
    offset, scale = read.floats("offset"), read.floats("scale")
    return _Scaling(offset, scale) if offset.size and scale.size and (scale > 0).all() else None


def _linear(node: Any, width: int, apply: Callable[[Array], Array]) -> trees.Linear:
    """The steps as one matrix: what they make of zeros, and of each feature alone."""
    bias = apply(np.zeros((1, width), np.float32))[0]
    weights = apply(np.eye(width, dtype=np.float32)) - bias
    rows = np.random.default_rng(0).normal(size=(8, width)).astype(np.float32)
    if not np.allclose(apply(rows), rows @ weights + bias, rtol=1e-3, atol=1e-3 * np.abs(weights).max()):
        raise _refusal(node, "the steps before the trees are not linear")
    return trees.Linear(weights.T.astype(np.float32).copy(), bias.astype(np.float32))


# --- the trees


def _forest(node: Any, features: int, steps: Sequence[_Scaling]) -> Forest:
    read = Attributes(node)
    made, outputs = _tables(node, read), _outputs(node, read)
    if features <= int(made.feature.max()):
        raise _damaged(node, f"feature {made.feature.max()} of {features}")
    divisor = float(made.count) if outputs.are_shares else 1.0
    leaves, targets = _leaves(made, outputs)
    base = _base(node, read, made, outputs)
    if read.text("aggregate_function", "SUM") == "AVERAGE":
        leaves = leaves / made.count
    if not all(np.isfinite(values).all() for values in (leaves, base, made.threshold)):
        raise _damaged(node, "values that are NaN or infinite")
    limits = forest.moved_before(steps, made.feature, made.threshold, features, np.float32)
    return Forest(
        features=features,
        feature=made.feature,
        threshold=limits,
        children=made.children,
        roots=np.array(made.roots, np.int32),
        leaves=leaves * divisor,
        base=base * divisor,
        targets=targets,
        divisor=divisor,
        activation=outputs.activation,
        classifies=node.op_type == "TreeEnsembleClassifier",
    )


def _base(node: Any, read: Attributes, made: _Tables, outputs: _Outputs) -> Array:
    """Base values, and what trees without a split add."""
    base, values = np.zeros(outputs.count), read.floats("base_values").astype(np.float64)
    if values.size > outputs.count:
        raise _damaged(node, f"{values.size} base values for {counted(outputs.count, 'output')}")
    np.add.at(base, outputs.columns(np.arange(values.size)), values)
    share = 1 / made.count if read.text("aggregate_function", "SUM") == "AVERAGE" else 1.0
    for number, weight in made.constants:
        base[outputs.columns(np.array(number))] += weight * share
    if outputs.complement:
        base[0] = (made.count - len(made.roots)) / made.count - base[1]
    return base


@dataclass(frozen=True)
class _Outputs:
    """``count``: of the model; ``first``: where that of class or target 0 lies. ``are_shares``: each tree
    gives its part of probabilities. ``complement``: the first of two classes is one minus the second."""

    count: int
    first: int
    activation: str
    are_shares: bool
    complement: bool

    def columns(self, numbers: Array) -> Array:
        """Of the outputs, for classes or targets."""
        return np.full_like(numbers, 1) if self.first else numbers


def _outputs(node: Any, read: Attributes) -> _Outputs:
    how = read.text("post_transform", "NONE")
    if read.text("aggregate_function", "SUM") not in ("SUM", "AVERAGE"):
        raise _refusal(
            node, f"trees whose {read.text('aggregate_function', '').lower()} counts have no form here"
        )
    if node.op_type == "TreeEnsembleRegressor":
        if how != "NONE":
            raise _refusal(node, f"the post-transform {how} has no form here")
        return _Outputs(read.integer("n_targets", 1), 0, "", False, False)
    classes = len(read.labels())
    one = classes == 2 and len(set(read.integers("class_ids").tolist())) == 1
    if one and how == "LOGISTIC":  # softmax of (0, z) is the sigmoid of z, and one minus it
        return _Outputs(2, 1, "softmax", False, False)
    positive = bool((read.floats("class_weights") >= 0).all())
    if how == "NONE" and positive:
        return _Outputs(classes, int(one), "", True, one)
    if one or how not in ("NONE", "SOFTMAX", "LOGISTIC"):
        raise _refusal(node, f"the post-transform {how} has no form here")
    activations = {"NONE": "", "SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}
    return _Outputs(classes, 0, activations[how], False, False)


@dataclass(frozen=True)
class _Tables:
    """As in ``Forest``; ``leaf_weights``: of each leaf the classes or targets and what it adds to them;
    ``tree_of_leaf`` [L]; ``constants``: what trees without a split add; ``count``: of all trees."""

    feature: npt.NDArray[np.int32]
    threshold: Array
    children: npt.NDArray[np.int32]
    roots: list[int]
    leaf_weights: list[list[tuple[int, float]]]
    tree_of_leaf: list[int]
    constants: list[tuple[int, float]]
    count: int


@dataclass
class _Flat:
    """``_Tables`` in the making."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    children: list[list[int]] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    leaf_weights: list[list[tuple[int, float]]] = field(default_factory=list)
    tree_of_leaf: list[int] = field(default_factory=list)
    constants: list[tuple[int, float]] = field(default_factory=list)


def _leaves(made: _Tables, outputs: _Outputs) -> tuple[Array, npt.NDArray[np.int32] | None]:
    """Rows of all outputs, or one value per leaf where every tree adds to one output."""
    used: list[set[int]] = [set() for _ in made.roots]
    for tree, weights in zip(made.tree_of_leaf, made.leaf_weights, strict=True):
        used[tree].update(outputs.columns(np.array([i for i, _ in weights])).tolist())
    if not outputs.complement and all(len(columns) <= 1 for columns in used):
        values = np.array([sum(w for _, w in weights) for weights in made.leaf_weights])
        several = outputs.count > 1
        targets = np.array([next(iter(columns), 0) for columns in used], np.int32) if several else None
        return values, targets
    rows = np.zeros((len(made.leaf_weights), outputs.count))
    for row, weights in zip(rows, made.leaf_weights, strict=True):
        for number, weight in weights:
            row[outputs.columns(np.array(number))] += weight
    if outputs.complement:
        rows[:, 0] = 1 / made.count - rows[:, 1]
    return rows, None


class _Nodes:
    """The arrays of a node's attributes, checked: each node of each tree by its place in them."""

    def __init__(self, node: Any, read: Attributes) -> None:
        self.trees, self.ids = read.integers("nodes_treeids"), read.integers("nodes_nodeids")
        self.true, self.false = read.integers("nodes_truenodeids"), read.integers("nodes_falsenodeids")
        self.feature, self.value = read.integers("nodes_featureids"), read.floats("nodes_values")
        self.modes = read.texts("nodes_modes")
        arrays = (self.ids, self.true, self.false, self.feature, self.value, self.modes)
        if not len(self.trees) or any(len(array) != len(self.trees) for array in arrays):
            raise _damaged(node, "attributes of different lengths")
        pairs = zip(self.trees.tolist(), self.ids.tolist(), strict=True)
        self.places = {pair: place for place, pair in enumerate(pairs)}
        unknown = sorted(set(self.modes) - {*_LEFT, "LEAF"})
        if unknown:
            raise _refusal(node, f"branches of the kind {unknown[0]} have no form here")
        if (self.feature < 0).any() or len(self.places) != len(self.trees):
            raise _damaged(node, "a node that is there twice, or a negative feature")


def _tables(node: Any, read: Attributes) -> _Tables:
    """The trees one after the other. Raises UnsupportedError where none has a split."""
    nodes, weights, flat = _Nodes(node, read), _weights(node, read), _Flat()
    for tree, first in zip(*np.unique(nodes.trees, return_index=True), strict=True):
        root = int(first)
        if nodes.modes[root] == "LEAF":
            flat.constants += weights.get((int(tree), int(nodes.ids[root])), [])
        else:
            _flatten(node, nodes, root, weights, flat)
    if not flat.roots:
        raise _refusal(node, "no tree has a split: the model always answers the same")
    return _Tables(
        np.array(flat.feature, np.int32), np.array(flat.threshold, np.float32),
        np.array(flat.children, np.int32), flat.roots, flat.leaf_weights, flat.tree_of_leaf,
        flat.constants, len(np.unique(nodes.trees)),
    )  # fmt: skip


def _flatten(node: Any, nodes: _Nodes, root: int, weights: _Weights, flat: _Flat) -> None:
    """One tree from its root on: each decision before those behind it."""
    tree, seen = int(nodes.trees[root]), set[int]()
    waiting: list[tuple[int, int, int]] = [(root, -1, 0)]
    flat.roots.append(len(flat.feature))
    while waiting:
        place, parent, side = waiting.pop()
        if place in seen:
            raise _damaged(node, f"tree {tree} comes back to a node that it has passed")
        seen.add(place)
        if nodes.modes[place] == "LEAF":
            flat.children[parent][side] = -1 - len(flat.leaf_weights)
            flat.leaf_weights.append(weights.get((tree, int(nodes.ids[place])), []))
            flat.tree_of_leaf.append(len(flat.roots) - 1)
            continue
        if parent >= 0:
            flat.children[parent][side] = len(flat.feature)
        waiting += _branches(node, nodes, place, len(flat.feature))
        limit = nodes.value[place]
        below = _LEFT[nodes.modes[place]][0]
        flat.threshold.append(float(np.nextafter(limit, np.float32(-np.inf)) if below else limit))
        flat.feature.append(int(nodes.feature[place]))
        flat.children.append([0, 0])


def _branches(node: Any, nodes: _Nodes, place: int, number: int) -> list[tuple[int, int, int]]:
    """Where it goes on from decision ``number``, left last: that is taken next."""
    tree = int(nodes.trees[place])
    sides = (1, 0) if _LEFT[nodes.modes[place]][1] else (0, 1)
    found = []
    for side, array in zip(sides, (nodes.true, nodes.false), strict=True):
        target = nodes.places.get((tree, int(array[place])))
        if target is None:
            raise _damaged(node, f"tree {tree} goes on to node {array[place]}, which is not there")
        found.append((target, number, side))
    return sorted(found, key=lambda one: -one[2])


def _weights(node: Any, read: Attributes) -> _Weights:
    """What each leaf adds to which class or target."""
    kind = "class" if node.op_type == "TreeEnsembleClassifier" else "target"
    tree, at = read.integers(f"{kind}_treeids"), read.integers(f"{kind}_nodeids")
    number, weight = read.integers(f"{kind}_ids"), read.floats(f"{kind}_weights")
    most = len(read.labels()) if kind == "class" else read.integer("n_targets", 1)
    if not len(tree) == len(at) == len(number) == len(weight) or not len(tree):
        raise _damaged(node, "leaves of different lengths")
    if number.min() < 0 or number.max() >= most:
        raise _damaged(node, f"{kind} {number.max()} of {most}")
    found: _Weights = {}
    for key, pair in zip(
        zip(tree.tolist(), at.tolist(), strict=True),
        zip(number.tolist(), weight.astype(np.float64).tolist(), strict=True),
        strict=True,
    ):
        found.setdefault(key, []).append(pair)
    return found


def _refusal(node: Any, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"{describe(node)}: {why}",
        "scikit-learn's models convert from their .joblib, too, with --trust; train those of other libraries "
        "with another objective, or without categorical features",
    )


def _damaged(node: Any, why: str) -> ModelError:
    return ModelError(f"{describe(node)}: its trees are damaged: {why}", "export the model again")
