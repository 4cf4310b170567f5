# SPDX-License-Identifier: Apache-2.0
"""Decision trees, forests and boosted trees of scikit-learn as one sum of trees. Worker process only.

emlearn flattens each tree to its table of decision nodes. Leaves are taken from scikit-learn, since emlearn
rounds them to 8 bits.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks import scalers
from tinyserve.errors import ModelError, ToolError, UnsupportedError

Array = npt.NDArray[Any]
INSTALL = "pip install 'tinyserve[sklearn]'"

_AVERAGED = ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")
_BOOSTED = ("GradientBoosting", "HistGradientBoosting")
ISOLATION = "IsolationForest"
KINDS = (
    *(f"{kind}{task}" for kind in (*_AVERAGED, *_BOOSTED) for task in ("Classifier", "Regressor")),
    ISOLATION,
)
MONOTONE = scalers.ALONE
"""Steps that change each feature by itself and keep its order: thresholds are moved instead."""

_LARGEST = float(np.finfo(np.float32).max)
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Forest:
    """outputs = activation((base + the leaf of each tree) / divisor).

    A sample goes left at node n where features[feature[n]] <= threshold[n]. Shapes: feature and threshold
    [N], children [N][2] (a later node, or -1 - leaf), roots [T], leaves [L][K] or [L] (then they add to the
    output that ``targets`` [T] names), base [K]. ``activation`` is "", "sigmoid", "softmax" or "exp".
    ``classifies``: the outputs are probabilities of classes (of the second one where there is but one).
    """

    features: int
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    children: npt.NDArray[np.int32]
    roots: npt.NDArray[np.int32]
    leaves: npt.NDArray[np.float64]
    base: npt.NDArray[np.float64]
    targets: npt.NDArray[np.int32] | None = None
    divisor: float = 1.0
    activation: str = ""
    classifies: bool = False


@dataclass(frozen=True)
class _Tree:
    """One tree as scikit-learn has it; children are -1 at leaves. ``values`` [nodes] or [nodes][outputs]."""

    left: Array
    right: Array
    feature: Array
    threshold: Array
    values: Array
    target: int = 0


@dataclass(frozen=True)
class _Sum:
    """The trees of an estimator, and how their sum becomes its outputs."""

    trees: list[_Tree]
    base: Array
    divisor: float = 1.0
    activation: str = ""


def is_known(estimator: Any) -> bool:
    """Whether ``of`` takes it."""
    return type(estimator).__name__ in KINDS


def of(estimator: Any, steps: Sequence[Any], where: str) -> Forest:
    """The trees of a fitted estimator behind ``steps``, which are of MONOTONE kinds.

    Equal to scikit-learn's own up to the rounding of sums: thresholds are the largest float32 that goes left
    there. Raises UnsupportedError, ModelError or ToolError.
    """
    total = _sum_of(estimator, where)
    split = [tree for tree in total.trees if len(tree.left) > 1]
    base = total.base.astype(np.float64).copy()
    for tree in total.trees:
        if len(tree.left) == 1:  # always the same: no tree
            base[... if tree.values.ndim == 2 else tree.target] += tree.values[0]
    if not split:
        raise UnsupportedError(
            f"{where}: no tree of {type(estimator).__name__} has a split: it always answers the same",
            "train it with more than one class, or with fewer limits on splits",
        )
    feature, threshold, children, roots, leaves = _tables(split)
    if not np.isfinite(leaves).all() or not np.isfinite(base).all():
        raise ModelError(f"{where}: leaves hold values that are NaN or infinite", "train it again")
    several = leaves.ndim == 1 and len(base) > 1
    return Forest(
        features=_width(estimator, steps),
        feature=feature,
        threshold=moved_before(steps, feature, threshold, _width(estimator, steps), _compared_as(estimator)),
        children=children,
        roots=roots,
        leaves=leaves,
        base=base,
        targets=np.array([tree.target for tree in split], np.int32) if several else None,
        divisor=total.divisor,
        activation=total.activation,
        classifies=hasattr(estimator, "classes_"),
    )


def _width(estimator: Any, steps: Sequence[Any]) -> int:
    return int((steps[0] if steps else estimator).n_features_in_)


def _sum_of(estimator: Any, where: str) -> _Sum:
    name = type(estimator).__name__
    if getattr(estimator, "n_outputs_", 1) > 1 and name.endswith("Classifier"):
        raise UnsupportedError(
            f"{where}: {name} answers {estimator.n_outputs_} questions at once",
            "train one classifier per output",
        )
    classes = getattr(estimator, "classes_", None)
    if classes is not None and len(classes) == 1:
        raise UnsupportedError(
            f"{where}: {name} knows a single class, {classes[0]}", "train it with samples of two or more"
        )
    if name == ISOLATION:
        return _isolation(estimator)
    if name.startswith("HistGradientBoosting"):
        return _histogram_boosted(estimator, where)
    if name.startswith("GradientBoosting"):
        return _boosted(estimator, where)
    return _averaged(estimator)


def _averaged(estimator: Any) -> _Sum:
    """The mean of probabilities or values."""
    trees = [one.tree_ for one in getattr(estimator, "estimators_", [estimator])]
    if hasattr(estimator, "classes_"):
        values = [_proportions(tree.value[:, 0, :]) for tree in trees]
    elif trees[0].n_outputs == 1:
        values = [tree.value[:, 0, 0] for tree in trees]
    else:
        values = [tree.value[:, :, 0] for tree in trees]
    outputs = values[0].shape[1] if values[0].ndim == 2 else 1
    made = [_tree(tree, value) for tree, value in zip(trees, values, strict=True)]
    return _Sum(made, np.zeros(outputs), float(len(trees)))


def _isolation(estimator: Any) -> _Sum:
    """Minus the mean depth at which samples are alone, over what is usual: larger for outliers."""
    trees = []
    for one, features in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        tree = one.tree_
        depth = np.zeros(tree.node_count)
        for node in range(tree.node_count):  # parents come first
            for child in (tree.children_left[node], tree.children_right[node]):
                if child >= 0:
                    depth[child] = depth[node] + 1
        values = -(depth + _usual_depth(tree.n_node_samples))
        feature = np.where(tree.feature >= 0, np.asarray(features)[tree.feature], tree.feature)
        trees.append(_Tree(tree.children_left, tree.children_right, feature, tree.threshold, values))
    usual = float(_usual_depth(np.array([estimator.max_samples_]))[0])
    return _Sum(trees, np.zeros(1), len(trees) * usual)


def _usual_depth(samples: Array) -> Array:
    """The mean depth of an unsuccessful search in a binary tree of so many samples (Liu et al., 2008)."""
    count = np.asarray(samples, np.float64)
    many = np.maximum(count, 3)
    deep = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.where(count <= 1, 0.0, np.where(count == 2, 1.0, deep))


def _proportions(counts: Array) -> Array:
    """Of the classes at each node. scikit-learn before 1.3 keeps weighted counts."""
    totals = counts.sum(axis=1, keepdims=True)
    shares: Array = counts / np.where(totals == 0, 1, totals)
    return np.where(np.abs(totals - 1) < 1e-9, counts, shares)


def _tree(tree: Any, values: Array, target: int = 0) -> _Tree:
    return _Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, values, target)


def _boosted(estimator: Any, where: str) -> _Sum:
    if estimator.init_ != "zero" and not type(estimator.init_).__name__.startswith("Dummy"):
        raise UnsupportedError(
            f"{where}: {type(estimator).__name__} starts from a model of its own "
            f"({type(estimator.init_).__name__})",
            "train it without init=",
        )
    factor = 2.0 if getattr(estimator, "loss", "") == "exponential" else 1.0
    trees = [
        _tree(one.tree_, one.tree_.value[:, 0, 0] * (estimator.learning_rate * factor), target)
        for stage in estimator.estimators_
        for target, one in enumerate(stage)
    ]
    base = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32))[0]
    return _Sum(trees, np.asarray(base) * factor, activation=_link(estimator, len(base)))


def _histogram_boosted(estimator: Any, where: str) -> _Sum:
    name = type(estimator).__name__
    if getattr(estimator, "is_categorical_", None) is not None and np.any(estimator.is_categorical_):
        raise UnsupportedError(
            f"{where}: {name} has categorical features", "encode them as numbers before training"
        )
    loss = getattr(estimator, "loss", "")
    if loss in ("poisson", "gamma"):
        raise UnsupportedError(
            f"{where}: {name} with loss='{loss}' answers the exponential of its sum",
            "train it with squared_error on the logarithm, or take the exponential yourself",
        )
    trees = [
        _histogram_tree(predictor.nodes, target)
        for stage in estimator._predictors
        for target, predictor in enumerate(stage)
    ]
    base = np.ravel(estimator._baseline_prediction)
    return _Sum(trees, base, activation=_link(estimator, len(base)))


def _histogram_tree(nodes: Array, target: int) -> _Tree:
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    return _Tree(left, right, nodes["feature_idx"], nodes["num_threshold"], nodes["value"], target)


def _link(estimator: Any, outputs: int) -> str:
    """What makes probabilities of the sums. Of two classes there is one sum, the second one's."""
    if not hasattr(estimator, "classes_"):
        return ""
    return "sigmoid" if outputs == 1 else "softmax"


def _tables(trees: Sequence[_Tree]) -> tuple[Any, Array, Any, Any, Array]:
    """The trees one after the other: feature, threshold (float64), children, roots, leaves."""
    flatten = _flatten()
    features, thresholds, children, roots, leaves = [], [], [], [], []
    nodes = count = 0
    for tree in trees:
        decisions, numbers = flatten(_for_emlearn(tree), leaf="value")
        links = np.array([node[2:] for node in decisions], np.int64)
        children.append(np.where(links >= 0, links + nodes, links - count))
        inner = np.flatnonzero(tree.left >= 0)  # emlearn keeps their order
        features.append(tree.feature[inner])
        thresholds.append(tree.threshold[inner])
        leaves.append(tree.values[np.array(numbers, np.int64)])
        roots.append(nodes)
        nodes, count = nodes + len(decisions), count + len(numbers)
    return (
        np.concatenate(features).astype(np.int32),
        np.concatenate(thresholds).astype(np.float64),
        np.concatenate(children).astype(np.int32),
        np.array(roots, np.int32),
        np.concatenate(leaves).astype(np.float64),
    )


def _for_emlearn(tree: _Tree) -> SimpleNamespace:
    """The tree in scikit-learn's attributes, with each node's number as its value: leaves come back by it."""
    count = len(tree.left)
    return SimpleNamespace(
        node_count=count,
        children_left=tree.left,
        children_right=tree.right,
        feature=tree.feature,
        threshold=tree.threshold,
        value=np.arange(count).reshape(count, 1, 1),
    )


def _flatten() -> Callable[..., tuple[list[list[Any]], list[int]]]:
    try:
        with np.errstate():  # emlearn makes numpy raise for underflow, in all of the process
            module = importlib.import_module("emlearn.trees")
        flatten: Callable[..., tuple[list[list[Any]], list[int]]] = module.flatten_tree
    except ImportError as error:
        raise ToolError(f"emlearn is needed to convert trees: {error}", INSTALL) from error
    return flatten


def _compared_as(estimator: Any) -> type[np.floating[Any]]:
    """The type that the estimator makes of features before it compares them."""
    return np.float64 if type(estimator).__name__.startswith("Hist") else np.float32


def moved_before(
    steps: Sequence[Any], feature: Array, threshold: Array, width: int, kind: type[np.floating[Any]]
) -> npt.NDArray[np.float32]:
    """The largest float32 of a raw feature that is <= the threshold after the steps, found by bisection
    through the steps themselves, so that their rounding counts too.
    """
    pairs, back = np.unique(np.stack([feature, threshold]), axis=1, return_inverse=True)
    columns, limits = pairs[0].astype(np.int64), pairs[1]
    low = np.full(len(limits), _key(-_LARGEST), np.int64)
    high = np.full(len(limits), _key(_LARGEST), np.int64)
    while (low < high).any():
        middle = (low + high + 1) >> 1
        goes_left = _scaled(steps, columns, _value(middle), width).astype(kind) <= limits
        low, high = np.where(goes_left, middle, low), np.where(goes_left, high, middle - 1)
    found: npt.NDArray[np.float32] = _value(low)[back.reshape(-1)]
    return found


def _scaled(steps: Sequence[Any], columns: Array, values: npt.NDArray[np.float32], width: int) -> Array:
    """Each value as the steps make it in its column."""
    if not steps:
        return values
    made = []
    for chunk in _chunks(len(values), max(1, _CHUNK // width)):
        rows = np.zeros((len(values[chunk]), width))
        rows[np.arange(len(rows)), columns[chunk]] = values[chunk]
        with np.errstate(all="ignore"):
            for step in steps:
                rows = step.transform(rows)
        made.append(rows[np.arange(len(rows)), columns[chunk]])
    return np.concatenate(made)


def _chunks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))


def _key(value: float) -> int:
    """Integers in the order of float32 values."""
    bits = int(np.float32(value).view(np.int32))
    return bits if bits >= 0 else bits ^ 0x7FFFFFFF


def _value(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    return np.where(keys >= 0, keys, keys ^ 0x7FFFFFFF).astype(np.int32).view(np.float32)
