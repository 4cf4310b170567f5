# SPDX-License-Identifier: Apache-2.0
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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.flexbuffer import read_map
from tinyserve.compiler.graph.types import DType, Node, Options
from tinyserve.compiler.names import short_name
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering, OpDef, unsupported
from tinyserve.compiler.ops.support.calls import add_call
from tinyserve.compiler.ops.trees.tree_branches import functions
from tinyserve.compiler.ops.trees.tree_tables import Tables, largest_sum, packed, subtree_sizes
from tinyserve.compiler.program import Buffer, Constant, Params

Array = npt.NDArray[Any]

NAME = "TreeEnsemble"
FEATURE_TYPES = (DType.INT8, DType.INT16, DType.FLOAT32)
LEAF_TYPES = (DType.UINT8, DType.INT16, DType.INT32)
MOST_FEATURES = 1 << 15
MOST_NODES_PER_TREE = (1 << 16) - 1
_SUFFIX = {DType.INT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32"}
_LARGEST_SCALE = 1e30
_BRANCHES = "branches"
_LEAF_TYPE = {"uint8": "TS_TREE_U8", "uint16": "TS_TREE_U16", "int16": "TS_TREE_S16", "int32": "TS_TREE_S32"}


@dataclass(frozen=True)
class TreeEnsembleParams(Params, c_type="ts_tree_ensemble_params"):
    """Types are enumerators of the header. Trees that are code neither read ``wide`` nor ``leaf_type``."""

    trees: int
    outputs: int
    codes: int
    classes: int
    rows: int
    vote: int
    row_type: str
    multiplier: int
    rounding: int
    shift: int
    zero_point: int
    scale: float
    wide: int = 0
    leaf_type: str = "TS_TREE_U8"


@dataclass(frozen=True)
class TreeEnsembleAttributes:
    """How sums become outputs: ``scale`` for float32, the others for integers."""

    scale: float = 1.0
    multiplier: int = 1
    shift: int = 0


class TreeEnsemble(OpDef):
    """The sum over trees of the leaf that the features reach."""

    name = NAME
    custom = True
    types = FEATURE_TYPES
    limits = "constant trees; up to 32,768 features and 65,535 decision nodes per tree"
    inputs = ("features", "feature", "threshold", "children", "roots", "leaves", "base", "targets?")
    names_constants = True

    def attributes(self, options: Options) -> TreeEnsembleAttributes:
        found = read_map(options.custom) if options.custom else {}
        whole = {name: found.get(name, default) for name, default in (("multiplier", 1), ("shift", 0))}
        if not all(math.isfinite(value) for value in whole.values()):
            whole = {"multiplier": 0, "shift": -1}
        return TreeEnsembleAttributes(
            float(found.get("scale", 1.0)), int(whole["multiplier"]), int(whole["shift"])
        )

    def check(self, node: Node) -> None:
        features, threshold, output = node.input("features"), node.input("threshold"), node.output
        checks.dtype(node, features, FEATURE_TYPES, "features")
        checks.same_dtype(node, features, threshold, output)
        _check_constants(node)
        tables = Tables.of(node)
        _check_trees(node, tables, features.elements)
        _check_outputs(node, tables, output.elements)
        _check_sums(node, tables)
        if output.dtype is not DType.FLOAT32:
            checks.per_tensor(node, output)

    def lower(self, node: Node, lowering: Lowering) -> None:
        """As nodes to walk, or (integers only) as code for speed or where the layer's variant is that."""
        output = node.output
        choice = lowering.target.choice(short_name(output.name))
        if output.dtype is not DType.FLOAT32:
            lowering.offer(node, (_BRANCHES, "portable"))
            if choice == _BRANCHES or (choice is None and lowering.target.optimize == "speed"):
                _lower_branches(node, lowering)
                return
        _lower_walks(node, lowering)


def _lower_walks(node: Node, lowering: Lowering) -> None:
    tables, output = Tables.of(node), node.output
    trees, leaves = packed(tables), _Leaves.of(tables, output.elements)
    values = leaves.stored(trees.leaf_order)
    targets = None if tables.targets is None else tables.targets.astype(np.uint8)
    add_call(
        node,
        lowering,
        f"ts_tree_ensemble_{_SUFFIX[output.dtype]}",
        "tree_ensemble.h",
        params=replace(_params(node, leaves), wide=int(trees.wide), leaf_type=_LEAF_TYPE[values.dtype.name]),
        inputs=[
            lowering.operand(node.input("features")),
            _constant(node, lowering, "nodes", trees.words),
            _constant(node, lowering, "sizes", trees.sizes.astype(np.uint16)),
            _constant(node, lowering, "leaves", values),
            _constant(node, lowering, "rows", leaves.rows),
            _constant(node, lowering, "targets", targets),
            _constant(node, lowering, "base", tables.base.astype(np.int32)),
        ],
        outputs=[lowering.buffer(output)],
        scratch=[_sums(node, lowering)],
    )


def _sums(node: Node, lowering: Lowering) -> Buffer:
    elements = node.output.elements
    size = f"TS_TREE_ENSEMBLE_SUMS_BYTES({elements})"
    return lowering.scratch(f"{node.output.name}_sums", 4 * elements, size=size)


def _lower_branches(node: Node, lowering: Lowering) -> None:
    tables, output = Tables.of(node), node.output
    leaves = _Leaves.of(tables, output.elements)
    sums = _sums(node, lowering)
    name = f"ts_{sums.name}_of"
    add_call(
        node,
        lowering,
        name,
        "tree_ensemble.h",
        params=_params(node, leaves),
        inputs=[
            lowering.operand(node.input("features")),
            _constant(node, lowering, "rows", leaves.rows),
            _constant(node, lowering, "base", tables.base.astype(np.int32)),
        ],
        outputs=[lowering.buffer(output)],
        scratch=[sums],
        variant=_BRANCHES,
        reason="comparisons in code",
        code=functions(name, tables, leaves.codes.tolist(), output.dtype.c_type, _SUFFIX[output.dtype]),
    )


def _params(node: Node, leaves: _Leaves) -> TreeEnsembleParams:
    attributes, output = node.attributes, node.output
    return TreeEnsembleParams(
        trees=len(Tables.of(node).roots),
        outputs=output.elements,
        codes=int(leaves.are_codes),
        classes=leaves.classes,
        rows=0 if leaves.rows is None else len(leaves.rows),
        vote=leaves.vote,
        row_type="TS_TREE_U8" if leaves.rows is None else _LEAF_TYPE[leaves.rows.dtype.name],
        multiplier=attributes.multiplier,
        rounding=(1 << attributes.shift) >> 1,
        shift=attributes.shift,
        zero_point=output.zero_point,
        scale=float(np.float32(attributes.scale)),
    )


def _constant(node: Node, lowering: Lowering, role: str, values: Array | None) -> Constant | None:
    return None if values is None else lowering.constant(f"{node.output.name}_{role}", values)


def _check_constants(node: Node) -> None:
    wanted = {
        "feature": ((1,), (DType.INT32,)), "threshold": ((1,), FEATURE_TYPES),
        "children": ((2,), (DType.INT32,)), "roots": ((1,), (DType.INT32,)), "leaves": ((1, 2), LEAF_TYPES),
        "base": ((1,), (DType.INT32,)), "targets": ((1,), (DType.INT32,)),
    }  # fmt: skip
    for role, (ranks, kinds) in wanted.items():
        tensor = node.optional(role)
        if tensor is None:
            continue
        checks.constant(node, tensor, role)
        if tensor.dtype not in kinds:
            raise checks.invalid(node, f"{role} of type {tensor.dtype.value}")
        if len(tensor.shape) not in ranks:
            raise checks.invalid(node, f"{role} of shape {list(tensor.shape)}")


def _check_trees(node: Node, tables: Tables, features: int) -> None:
    """Every node is the child of one earlier node or a root, so that walks end and no node is lost."""
    nodes, children = len(tables.feature), tables.children
    if children.shape != (nodes, 2) or tables.threshold.shape != (nodes,):
        raise checks.invalid(node, f"{nodes} features for children {list(children.shape)}")
    if features > MOST_FEATURES:
        raise unsupported(node, f"{features} features", f"select {MOST_FEATURES:,} of them at most")
    if tables.feature.min() < 0 or tables.feature.max() >= features:
        raise checks.invalid(node, f"a node compares a feature beyond the {features} that there are")
    inner = children[children >= 0]
    used = np.sort(np.concatenate([inner, tables.roots]))
    if not np.array_equal(used, np.arange(nodes)):
        raise checks.invalid(node, "the nodes do not form trees")
    if (children <= np.arange(nodes)[:, None])[children >= 0].any():
        raise checks.invalid(node, "a node comes before its parent")
    if -1 - int(children.min()) >= len(tables.leaves):
        raise checks.invalid(node, f"a leaf beyond the {len(tables.leaves)} that there are")
    largest = int(subtree_sizes(children)[tables.roots].max())
    if largest > MOST_NODES_PER_TREE:
        raise unsupported(
            node,
            f"a tree of {largest:,} decision nodes",
            "limit the trees' depth (max_depth, max_leaf_nodes)",
        )


def _check_outputs(node: Node, tables: Tables, outputs: int) -> None:
    if tables.base.shape != (outputs,):
        raise checks.invalid(node, f"{tables.base.size} base values for {outputs} outputs")
    if tables.leaves.shape[1:] == (outputs,) and tables.leaves.ndim == 2:
        if tables.targets is not None:
            raise checks.invalid(node, "leaves for all outputs, and targets")
        return
    if tables.leaves.ndim != 1:
        raise checks.invalid(node, f"leaves of shape {list(tables.leaves.shape)} for {outputs} outputs")
    if tables.targets is None:
        if outputs != 1:
            raise checks.invalid(node, f"no targets for {outputs} outputs")
        return
    if tables.targets.shape != tables.roots.shape:
        raise checks.invalid(node, f"{tables.targets.size} targets for {tables.roots.size} trees")
    if tables.targets.min() < 0 or tables.targets.max() >= min(outputs, 256):
        raise checks.invalid(node, f"a target beyond the {min(outputs, 256)} outputs that trees can have")


def _check_sums(node: Node, tables: Tables) -> None:
    """No sum overflows 32 bits, whatever leaf each tree reaches."""
    attributes: TreeEnsembleAttributes = node.attributes
    if (
        abs(attributes.scale) > _LARGEST_SCALE
        or math.isnan(attributes.scale)
        or not 0 <= attributes.shift <= 30
        or attributes.multiplier < 1
    ):
        raise checks.invalid(node, f"its options are {attributes}")
    most = largest_sum(tables) * attributes.multiplier + (1 << attributes.shift)
    if most >= 1 << 31:
        raise checks.invalid(node, "its sums do not fit in 32 bits")


@dataclass(frozen=True)
class _Leaves:
    """``codes`` [L]: what a leaf of the tables adds, or (``are_codes``) below ``classes`` a vote, else the
    row code - classes of ``rows``."""

    codes: Array
    rows: Array | None
    are_codes: bool
    classes: int
    vote: int

    @staticmethod
    def of(tables: Tables, outputs: int) -> _Leaves:
        if tables.leaves.ndim == 1:
            return _Leaves(tables.leaves, None, False, 0, 0)
        rows, numbers = np.unique(tables.leaves, axis=0, return_inverse=True)
        vote = int(rows.max())
        pure = (np.count_nonzero(rows, axis=1) == 1) & (rows.max(axis=1) == vote)
        if outputs == 1 or not pure.any():
            pure[:] = False
        classes = outputs if pure.any() else 0
        code_of_row = np.where(pure, rows.argmax(axis=1), classes + np.cumsum(~pure) - 1)
        kept = rows[~pure] if (~pure).any() else None
        return _Leaves(code_of_row[numbers.reshape(-1)], kept, True, classes, vote)

    def stored(self, order: Array) -> Array:
        """The codes of leaves in order, in the narrowest type that holds them; values in their own."""
        values = self.codes[order]
        if not self.are_codes:
            return values
        kind = np.uint8 if values.max() < 1 << 8 else np.uint16 if values.max() < 1 << 16 else np.int32
        return values.astype(kind)


OPS = (TreeEnsemble(),)
