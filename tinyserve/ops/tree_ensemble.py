"""TreeEnsemble: decision trees, forests and boosted trees as one custom operator of tinyserve's own.
Kernel in ``kernels/tree_ensemble.h``.

Inputs, all but the first constant:

====  =========  ============================================================================================
0     features   [1][F] int8, int16 or float32; goes left at a node where the feature is <= the threshold
1     feature    [N] int32, of each decision node of all trees
2     threshold  [N] of the features' type
3     children   [N][2] int32, left and right: a later decision node, or -1 - leaf
4     roots      [T] int32, the decision nodes that trees start at
5     leaves     [L][K] uint8, int16 or int32: what a leaf adds to all outputs; or [L]: to the tree's output
6     base       [K] int32, where the sums start
7     targets    [T] int32, the output that each tree adds to; where leaves are [L] and K is more than 1
====  =========  ============================================================================================

The output has the features' type. Options: ``scale`` (float32: the output is sum * scale), ``multiplier`` and
``shift`` (integers: floor((sum * multiplier + half) / 2^shift) + zero point, saturated).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.codegen.program import Constant, ParamValue
from tinyserve.graph.flexbuffer import read_map
from tinyserve.graph.types import DType, Operator, Options
from tinyserve.ops import checks
from tinyserve.ops.base import Lowering, Op, unsupported
from tinyserve.ops.calls import add_call

Array = npt.NDArray[Any]

FEATURE_TYPES = (DType.INT8, DType.INT16, DType.FLOAT32)
LEAF_TYPES = (DType.UINT8, DType.INT16, DType.INT32)
MOST_FEATURES = 1 << 15
MOST_NODES_PER_TREE = (1 << 16) - 1
_SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32"}
_LEAF_TYPE = {"uint8": "TS_TREE_U8", "uint16": "TS_TREE_U16", "int16": "TS_TREE_S16", "int32": "TS_TREE_S32"}
_NARROW_FEATURES, _NARROW_LEFT = 128, 255


@dataclass(frozen=True)
class TreeEnsembleAttributes:
    """How sums become outputs: ``scale`` for float32, the others for integers."""

    scale: float = 1.0
    multiplier: int = 1
    shift: int = 0


@dataclass(frozen=True)
class Tables:
    """The constant inputs as arrays, as the table above has them."""

    feature: Array
    threshold: Array
    children: Array
    roots: Array
    leaves: Array
    base: Array
    targets: Array | None

    @staticmethod
    def of(op: Operator) -> Tables:
        """Of a checked operator."""
        feature, threshold, children, roots, leaves, base = (
            np.asarray(checks.required(op, index).data) for index in range(1, 7)
        )
        targets = checks.optional(op, 7)
        values = None if targets is None else np.asarray(targets.data)
        return Tables(feature, threshold, children, roots, leaves, base, values)


class TreeEnsemble(Op):
    """The sum over trees of the leaf that the features reach."""

    name = "TreeEnsemble"
    custom = True
    types = FEATURE_TYPES
    limits = "constant trees; up to 32,768 features and 65,535 decision nodes per tree"
    roles = ("features", "feature", "threshold", "children", "roots", "leaves", "base", "targets")

    def attributes(self, options: Options) -> TreeEnsembleAttributes:
        found = read_map(options.custom) if options.custom else {}
        whole = {name: found.get(name, default) for name, default in (("multiplier", 1), ("shift", 0))}
        if not all(math.isfinite(value) for value in whole.values()):
            whole = {"multiplier": 0, "shift": -1}
        return TreeEnsembleAttributes(
            float(found.get("scale", 1.0)), int(whole["multiplier"]), int(whole["shift"])
        )

    def check(self, op: Operator) -> None:
        checks.arity(op, 7, 8)
        features, threshold, output = checks.required(op, 0), checks.required(op, 2), op.outputs[0]
        checks.dtype(op, features, FEATURE_TYPES, "features")
        checks.same_dtype(op, features, threshold, output)
        _check_constants(op)
        tables = Tables.of(op)
        _check_trees(op, tables, features.elements)
        _check_outputs(op, tables, output.elements)
        _check_sums(op, tables)
        if output.dtype is not DType.FLOAT32:
            checks.per_tensor(op, output)

    def lower(self, op: Operator, lowering: Lowering) -> None:
        tables, attributes, output = Tables.of(op), op.attributes, op.outputs[0]
        name, outputs = output.name, output.elements
        trees = packed(tables)
        leaves = _Leaves.of(tables, trees.leaf_order, outputs)
        params: dict[str, ParamValue] = {
            "trees": len(tables.roots), "outputs": outputs, "wide": int(trees.wide),
            "rows": int(tables.leaves.ndim == 2), "classes": leaves.classes, "vote": leaves.vote,
            "leaf_type": _LEAF_TYPE[leaves.values.dtype.name],
            "row_type": "TS_TREE_U8" if leaves.rows is None else _LEAF_TYPE[leaves.rows.dtype.name],
            "multiplier": attributes.multiplier, "rounding": (1 << attributes.shift) >> 1,
            "shift": attributes.shift, "zero_point": output.zero_point,
            "scale": float(np.float32(attributes.scale)),
        }  # fmt: skip

        def optional(role: str, values: Array | None) -> Constant | None:
            return None if values is None else lowering.constant(f"{name}_{role}", values)

        targets = None if tables.targets is None else tables.targets.astype(np.uint8)
        add_call(
            op,
            lowering,
            f"ts_tree_ensemble_{_SUFFIX[output.dtype]}",
            "tree_ensemble.h",
            params=params,
            params_type="ts_tree_ensemble_params",
            inputs=[
                lowering.operand(checks.required(op, 0)),
                lowering.constant(f"{name}_nodes", trees.words),
                lowering.constant(f"{name}_sizes", trees.sizes.astype(np.uint16)),
                lowering.constant(f"{name}_leaves", leaves.values),
                optional("rows", leaves.rows),
                optional("targets", targets),
                lowering.constant(f"{name}_base", tables.base.astype(np.int32)),
            ],
            outputs=[lowering.buffer(output)],
            scratch=[lowering.scratch(f"{name}_sums", 4 * outputs)],
        )


def _check_constants(op: Operator) -> None:
    wanted = {
        "feature": (1, (DType.INT32,)), "threshold": (1, FEATURE_TYPES), "children": (2, (DType.INT32,)),
        "roots": (1, (DType.INT32,)), "leaves": (0, LEAF_TYPES), "base": (1, (DType.INT32,)),
        "targets": (1, (DType.INT32,)),
    }  # fmt: skip
    for tensor, (role, (rank, kinds)) in zip(op.inputs[1:], wanted.items(), strict=False):
        if tensor is None:
            continue
        checks.constant(op, tensor, role)
        if tensor.dtype not in kinds:
            raise checks.invalid(op, f"{role} of type {tensor.dtype.value}")
        if rank:
            checks.rank(op, tensor, rank, role)


def _check_trees(op: Operator, tables: Tables, features: int) -> None:
    """Every node is the child of one earlier node or a root, so that walks end and no node is lost."""
    nodes, children = len(tables.feature), tables.children
    if children.shape != (nodes, 2) or tables.threshold.shape != (nodes,):
        raise checks.invalid(op, f"{nodes} features for children {list(children.shape)}")
    if features > MOST_FEATURES:
        raise unsupported(op, f"{features} features", f"select {MOST_FEATURES:,} of them at most")
    if tables.feature.min() < 0 or tables.feature.max() >= features:
        raise checks.invalid(op, f"a node compares a feature beyond the {features} that there are")
    inner = children[children >= 0]
    used = np.sort(np.concatenate([inner, tables.roots]))
    if not np.array_equal(used, np.arange(nodes)):
        raise checks.invalid(op, "the nodes do not form trees")
    if (children <= np.arange(nodes)[:, None])[children >= 0].any():
        raise checks.invalid(op, "a node comes before its parent")
    if -1 - int(children.min()) >= len(tables.leaves):
        raise checks.invalid(op, f"a leaf beyond the {len(tables.leaves)} that there are")
    largest = int(subtree_sizes(children)[tables.roots].max())
    if largest > MOST_NODES_PER_TREE:
        raise unsupported(
            op, f"a tree of {largest:,} decision nodes", "limit the trees' depth (max_depth, max_leaf_nodes)"
        )


def _check_outputs(op: Operator, tables: Tables, outputs: int) -> None:
    if tables.base.shape != (outputs,):
        raise checks.invalid(op, f"{tables.base.size} base values for {outputs} outputs")
    if tables.leaves.shape[1:] == (outputs,) and tables.leaves.ndim == 2:
        if tables.targets is not None:
            raise checks.invalid(op, "leaves for all outputs, and targets")
        return
    if tables.leaves.ndim != 1:
        raise checks.invalid(op, f"leaves of shape {list(tables.leaves.shape)} for {outputs} outputs")
    if tables.targets is None:
        if outputs != 1:
            raise checks.invalid(op, f"no targets for {outputs} outputs")
        return
    if tables.targets.shape != tables.roots.shape:
        raise checks.invalid(op, f"{tables.targets.size} targets for {tables.roots.size} trees")
    if tables.targets.min() < 0 or tables.targets.max() >= min(outputs, 256):
        raise checks.invalid(op, f"a target beyond the {min(outputs, 256)} outputs that trees can have")


def _check_sums(op: Operator, tables: Tables) -> None:
    """No sum overflows 32 bits, whatever leaf each tree reaches."""
    attributes: TreeEnsembleAttributes = op.attributes
    if not math.isfinite(attributes.scale) or not 0 <= attributes.shift <= 30 or attributes.multiplier < 1:
        raise checks.invalid(op, f"its options are {attributes}")
    most = largest_sum(tables) * attributes.multiplier + (1 << attributes.shift)
    if most >= 1 << 31:
        raise checks.invalid(op, "its sums do not fit in 32 bits")


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


@dataclass(frozen=True)
class _Leaves:
    """``values``: of all leaves in order, a value to add, or a code: below ``classes`` a vote, else the row
    code - classes of ``rows``."""

    values: Array
    rows: Array | None
    classes: int
    vote: int

    @staticmethod
    def of(tables: Tables, order: Array, outputs: int) -> _Leaves:
        if tables.leaves.ndim == 1:
            return _Leaves(tables.leaves[order], None, 0, 0)
        rows, codes = np.unique(tables.leaves, axis=0, return_inverse=True)
        codes, vote = codes.reshape(-1), int(rows.max())
        pure = (np.count_nonzero(rows, axis=1) == 1) & (rows.max(axis=1) == vote)
        if outputs == 1 or not pure.any():
            pure[:] = False
        classes = outputs if pure.any() else 0
        code_of_row = np.where(pure, rows.argmax(axis=1), classes + np.cumsum(~pure) - 1)
        values = code_of_row[codes][order]
        kind = np.uint8 if values.max() < 1 << 8 else np.uint16 if values.max() < 1 << 16 else np.int32
        return _Leaves(values.astype(kind), rows[~pure] if (~pure).any() else None, classes, vote)


OPS = (TreeEnsemble(),)
