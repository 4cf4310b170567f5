# SPDX-License-Identifier: Apache-2.0
"""The tables of trees, and what follows from them: sums' bounds, and nodes as the kernel walks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import Node

Array = npt.NDArray[Any]
_NARROW_FEATURES, _NARROW_LEFT = 128, 255


@dataclass(frozen=True)
class Tables:
    """The constant inputs of a TreeEnsemble as arrays, as ``tree_ensemble`` describes them."""

    feature: Array
    threshold: Array
    children: Array
    roots: Array
    leaves: Array
    base: Array
    targets: Array | None

    @staticmethod
    def of(node: Node) -> Tables:
        """Of a checked operator."""
        feature, threshold, children, roots, leaves, base = (
            np.asarray(node.input(name).data)
            for name in ("feature", "threshold", "children", "roots", "leaves", "base")
        )
        targets = node.optional("targets")
        values = None if targets is None else np.asarray(targets.data)
        return Tables(feature, threshold, children, roots, leaves, base, values)


def largest_sum(tables: Tables) -> int:
    """The largest magnitude of any sum, and of any partial one."""
    tree = tree_of_nodes(tables)
    parents, sides = np.nonzero(tables.children < 0)
    magnitudes = np.abs(tables.leaves.astype(np.int64)).reshape(len(tables.leaves), -1).max(axis=1)
    reached = np.zeros(len(tables.roots), np.int64)
    np.maximum.at(reached, tree[parents], magnitudes[-1 - tables.children[parents, sides]])
    return int(reached.sum() + np.abs(tables.base.astype(np.int64)).max())


def tree_of_nodes(tables: Tables) -> Array:
    """[N]: the number of the tree that each decision node belongs to."""
    tree = np.zeros(len(tables.feature), np.int64)
    tree[tables.roots] = np.arange(len(tables.roots))
    for node, (left, right) in enumerate(tables.children.tolist()):
        if left >= 0:
            tree[left] = tree[node]
        if right >= 0:
            tree[right] = tree[node]
    return tree


def subtree_sizes(children: Array) -> Array:
    """[N]: the decision nodes of the subtree that each node is the root of."""
    sizes = [1] * len(children)
    for node in range(len(children) - 1, -1, -1):
        left, right = children[node].tolist()
        sizes[node] += (sizes[left] if left >= 0 else 0) + (sizes[right] if right >= 0 else 0)
    return np.array(sizes, np.int64)


@dataclass(frozen=True)
class Packed:
    """Nodes as the kernel walks them. ``sizes``: decision nodes per tree; ``leaf_order``: of all leaves from
    left to right, tree by tree, the row of ``Tables.leaves``."""

    words: Array
    wide: bool
    sizes: Array
    leaf_order: Array


def packed(tables: Tables) -> Packed:
    """The trees of a checked operator in the narrowest nodes that hold them."""
    children, sizes = tables.children, subtree_sizes(tables.children)
    left_sizes = np.where(children[:, 0] >= 0, sizes[np.maximum(children[:, 0], 0)], 0)
    place, first_leaf = _places(tables, sizes, left_sizes)
    leaf_order = np.empty(len(children) + len(tables.roots), np.int64)
    leaf_left, leaf_right = children[:, 0] < 0, children[:, 1] < 0
    leaf_order[first_leaf[leaf_left]] = -1 - children[leaf_left, 0]
    leaf_order[(first_leaf + left_sizes + 1)[leaf_right]] = -1 - children[leaf_right, 1]

    threshold = keys(tables.threshold) & 0xFFFFFFFF
    wide = threshold_bits(tables.threshold) > 16 or bool(
        tables.feature.max() >= _NARROW_FEATURES or left_sizes.max() > _NARROW_LEFT
    )
    words = np.empty((len(children), 2 if wide else 1), np.uint32)
    if wide:
        words[place, 0] = threshold
        words[place, 1] = left_sizes << 16 | leaf_right.astype(np.int64) << 15 | tables.feature
    else:
        low = left_sizes << 8 | leaf_right.astype(np.int64) << 7 | tables.feature
        words[place, 0] = (threshold << 16 & 0xFFFFFFFF) | low
    return Packed(words.reshape(-1), wide, sizes[tables.roots], leaf_order)


def _places(tables: Tables, sizes: Array, left_sizes: Array) -> tuple[Array, Array]:
    """[N] each: the place of a node in preorder, tree by tree, and the number of its leftmost leaf."""
    place, first_leaf = [0] * len(sizes), [0] * len(sizes)
    start = 0
    for tree, root in enumerate(tables.roots.tolist()):
        place[root], first_leaf[root] = start, start + tree
        start += int(sizes[root])
    for node, (left, right) in enumerate(tables.children.tolist()):
        if left >= 0:
            place[left], first_leaf[left] = place[node] + 1, first_leaf[node]
        if right >= 0:
            skip = int(left_sizes[node]) + 1
            place[right], first_leaf[right] = place[node] + skip, first_leaf[node] + skip
    return np.array(place, np.int64), np.array(first_leaf, np.int64)


def threshold_bits(threshold: Array) -> int:
    """How wide the thresholds are in a node."""
    return 32 if threshold.dtype == np.float32 else 16


def keys(threshold: Array) -> Array:
    """Thresholds as integers in their own order; of floats, those that the kernel makes of features."""
    if threshold.dtype != np.float32:
        return threshold.astype(np.int64)
    bits: Array = (threshold + np.float32(0.0)).view(np.int32)  # -0 becomes 0, which both zeros are <= to
    ordered: Array = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64)
    return ordered
