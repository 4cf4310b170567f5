# SPDX-License-Identifier: Apache-2.0
"""Trees as .tflite: written in float32 from a ``Forest``, and quantized to int8 or int16.

No calibrator is needed: what a tree compares with is known. Features are quantized each by itself, in steps
that divide the range of its thresholds; beyond them nothing matters. The samples tell the range of sums.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import reader
from tinyserve.compiler.graph.types import Model, Node, Quantization, Tensor
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.compiler.ops.trees.tree_ensemble import NAME, TreeEnsemble, TreeEnsembleAttributes
from tinyserve.compiler.ops.trees.tree_tables import Tables, largest_sum, tree_of_nodes
from tinyserve.convert.frameworks.forest import Forest
from tinyserve.convert.worker.messages import Quantize
from tinyserve.errors import UnsupportedError

Array = npt.NDArray[Any]
_ACTIVATIONS = {
    "sigmoid": ("LOGISTIC", ""),
    "softmax": ("SOFTMAX", "SoftmaxOptions"),
    "exp": ("EXP", "ExpOptions"),
}
_SUM_BITS = 31


@dataclass(frozen=True)
class Linear:
    """y = x @ weights.T + bias before the trees; weights [C][F], bias [C], both float32."""

    weights: Array
    bias: Array


def write(forest: Forest, linear: Linear | None, output_name: str) -> bytes:
    """The float32 .tflite. Leaves become whole numbers of 2^-s, with s as large as sums in 32 bits allow."""
    outputs, bits = len(forest.base), _fraction_bits(forest)
    leaves, children = _distinct(np.rint(np.ldexp(forest.leaves, bits)).astype(np.int32), forest.children)
    tables = Tables(
        feature=forest.feature,
        threshold=forest.threshold,
        children=children,
        roots=forest.roots,
        leaves=leaves,
        base=np.rint(np.ldexp(forest.base, bits)).astype(np.int32),
        targets=forest.targets,
    )
    writer = GraphWriter("tinyserve: trees")
    width = forest.features if linear is None else linear.weights.shape[1]
    features = x = writer.tensor("features", (1, width), "float32")
    if linear is not None:
        x = writer.tensor("components", (1, forest.features), "float32")
        constants = [writer.constant("weights", linear.weights), writer.constant("bias", linear.bias)]
        writer.builtin("FULLY_CONNECTED", "FullyConnectedOptions", [features, *constants], x)
    plain = not forest.activation
    y = writer.tensor(output_name if plain else "scores", (1, outputs), "float32")
    _ensemble(writer, tables, x, y, {"scale": math.ldexp(1 / forest.divisor, -bits)})
    if not plain:
        probabilities = writer.tensor(output_name, (1, outputs), "float32")
        y = _activation(writer, forest.activation, y, probabilities)
    return writer.build([features], [y])


def has_trees(model: Model) -> bool:
    """Whether it is for ``quantize``."""
    return any(node.name == NAME and node.custom for node in model.main.nodes)


def quantize(data: bytes, samples: Array, request: Quantize) -> bytes:
    """A model that ``write`` made, in integers: int8, or int16 for the scheme int16x8.

    ``samples``: (N, features), of which the range of sums is taken. Raises UnsupportedError where something
    else than an activation surrounds the trees, or an option has no meaning for them.
    """
    if request.keep_float or request.clip:
        option = "--per-layer keep" if request.keep_float else "--clip"
        raise UnsupportedError(f"{option} means nothing for trees", "leave it out, or use int16x8 or float32")
    float_model = _read(data)
    kind = "int8" if request.scheme == "int8" else "int16"
    features, thresholds = quantized_features(float_model.tables, samples, float_model.width, kind)
    integers = replace(float_model.tables, threshold=thresholds)
    scores = _scores(float_model, samples)
    summed = (
        _probabilities(integers, float_model.real_leaves, kind)
        if float_model.gives_probabilities
        else _sums(integers, float_model, scores, kind)
    )
    writer = GraphWriter("tinyserve: trees")
    x = writer.tensor("features", (1, float_model.width), kind, features)
    outputs, plain = len(integers.base), not float_model.activation
    y = writer.tensor(float_model.output_name if plain else "scores", (1, outputs), kind, summed.quantization)
    leaves, children = _distinct(summed.tables.leaves, summed.tables.children)
    tables = replace(summed.tables, leaves=leaves, children=children)
    _ensemble(writer, tables, x, y, {"multiplier": summed.multiplier, "shift": summed.shift})
    if not plain:
        most = _exponentials(scores, kind) if float_model.activation == "exp" else _unit_range(kind)
        activated = writer.tensor(float_model.output_name, (1, outputs), kind, most)
        y = _activation(writer, float_model.activation, y, activated)
    return writer.build([x], [y])


# --- writing


def _ensemble(writer: GraphWriter, tables: Tables, x: int, y: int, options: dict[str, float]) -> None:
    constants = {
        "feature": tables.feature, "threshold": tables.threshold, "children": tables.children,
        "roots": tables.roots, "leaves": tables.leaves, "base": tables.base, "targets": tables.targets,
    }  # fmt: skip
    inputs = [writer.constant(name, values) for name, values in constants.items() if values is not None]
    writer.custom(NAME, [x, *inputs], y, options)


def _activation(writer: GraphWriter, name: str, x: int, y: int) -> int:
    builtin, options = _ACTIVATIONS[name]
    writer.builtin(builtin, options, [x], y, **({"beta": 1.0} if name == "softmax" else {}))
    return y


def _distinct(leaves: Array, children: Array) -> tuple[Array, npt.NDArray[np.int32]]:
    """Each different leaf once."""
    kept, number = np.unique(leaves, axis=0, return_inverse=True)
    at = np.maximum(-1 - children, 0)
    return kept, np.where(children < 0, -1 - number.reshape(-1)[at], children).astype(np.int32)


def _fraction_bits(forest: Forest) -> int:
    """The most bits below the point with which no sum overflows."""
    most = float(np.abs(forest.leaves).max()) * len(forest.roots) + float(np.abs(forest.base).max())
    spare = (1 << _SUM_BITS) - 2 * (len(forest.roots) + 2)  # each term may be rounded up
    return math.floor(math.log2(spare / most)) if most > 0 else 0


# --- the float model


@dataclass(frozen=True)
class _FloatModel:
    """What ``write`` wrote: ``real_leaves`` and ``real_base`` are per unit of the output."""

    tables: Tables
    real_leaves: Array
    real_base: Array
    width: int
    activation: str
    output_name: str

    @property
    def gives_probabilities(self) -> bool:
        """Rows that are shares of one: the output is their mean."""
        if self.real_leaves.ndim != 2 or self.real_base.any() or self.real_leaves.min() < 0:
            return False
        totals = self.real_leaves.sum(axis=1) * len(self.tables.roots)
        return bool(np.abs(totals - 1).max() < 1e-4)


def _read(data: bytes) -> _FloatModel:
    nodes = reader.read(data).main.nodes
    found = next(node for node in nodes if node.name == NAME)
    rest = [node for node in nodes if node is not found]
    activations = {builtin: name for name, (builtin, _) in _ACTIVATIONS.items()}
    last = nodes[-1]
    if nodes[0] is not found or len(rest) > 1 or (rest and last.name not in activations):
        raise UnsupportedError(
            f"{nodes[0].location}: what comes before trees is not quantized", "use --quantize float32"
        )
    trees = replace(found, signature=TreeEnsemble().signature)
    tables, attributes = Tables.of(trees), _attributes(trees)
    return _FloatModel(
        tables=tables,
        real_leaves=tables.leaves * attributes.scale,
        real_base=tables.base * attributes.scale,
        width=_input(trees).elements,
        activation=activations[last.name] if rest else "",
        output_name=last.outputs[0].name,
    )


def _attributes(node: Node) -> TreeEnsembleAttributes:
    return TreeEnsemble().attributes(node.options)


def _input(node: Node) -> Tensor:
    tensor = node.inputs[0]
    assert tensor is not None
    return tensor


def _scores(model: _FloatModel, samples: Array) -> Array:
    """(N, outputs): what the trees give before any activation."""
    x = samples.reshape(len(samples), -1).astype(np.float32)
    tables = model.tables
    sums = np.tile(model.real_base, (len(x), 1))
    for tree, root in enumerate(tables.roots.tolist()):
        node = np.full(len(x), root)
        walking = np.arange(len(x))
        while len(walking):
            at = node[walking]
            right = ~(x[walking, tables.feature[at]] <= tables.threshold[at])
            node[walking] = tables.children[at, right.astype(np.intp)]
            walking = walking[node[walking] >= 0]
        leaves = model.real_leaves[-1 - node]
        if leaves.ndim == 2:
            sums += leaves
        else:
            sums[:, 0 if tables.targets is None else tables.targets[tree]] += leaves
    return sums


# --- features


def quantized_features(tables: Tables, samples: Array, width: int, kind: str) -> tuple[Quantization, Array]:
    """Scale and zero point of each feature, and the thresholds in those.

    The lowest threshold becomes the second lowest integer and the highest the last but two, so that either
    side of any threshold has an integer. A single feature has a zero in its range, as all tensors of one
    scale do.
    """
    limits = np.iinfo(kind)
    x = samples.reshape(len(samples), -1).astype(np.float32)
    threshold = tables.threshold.astype(np.float64)
    low, high = (x.min(axis=0), x.max(axis=0))  # of features that no tree looks at
    low, high = low.astype(np.float64), high.astype(np.float64)
    for column in np.unique(tables.feature):
        used = threshold[tables.feature == column]
        low[column], high[column] = used.min(), used.max()
    if width == 1:
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    # float32 has 24 bits: a step is no finer than what a feature of that size can tell apart.
    finest = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1e-30) * 2.0**-21
    scale = np.maximum((high - low) / (limits.max - limits.min - 4), finest).astype(np.float32)
    zero_point = (limits.min + 1 - np.floor(low / scale)).astype(np.int64)
    stored = np.empty(len(threshold), kind)
    for column in np.unique(tables.feature):
        nodes = tables.feature == column
        steps = _steps(x[:, column], tables.threshold[nodes], scale[column]) + zero_point[column]
        stored[nodes] = np.clip(steps, limits.min, limits.max - 1)
    axis = 1 if width > 1 else 0
    return Quantization(tuple(map(float, scale)), tuple(map(int, zero_point)), axis), stored


def _steps(x: Array, threshold: Array, scale: np.float32) -> npt.NDArray[np.int64]:
    """Thresholds of a feature in whole steps. Features are rounded, so that those up to (n + 1/2) * scale are
    <= n: the nearest n is the floor, but rounding the threshold as a feature sends equal features left, and
    one less sends those right that a strict comparison does (XGBoost's thresholds are values of features).
    What tells most of the samples as in float is taken.
    """
    ordered = np.sort(x)
    left = np.searchsorted(ordered, threshold, side="right")
    whole = _rounded(ordered / scale)
    nearest = _rounded(threshold / scale)
    candidates = np.stack([np.floor(threshold / scale).astype(np.int64), nearest, nearest - 1])
    wrong = np.abs(np.searchsorted(whole, candidates, side="right") - left)
    chosen: npt.NDArray[np.int64] = candidates[wrong.argmin(axis=0), np.arange(len(threshold))]
    return chosen


def _rounded(values: Array) -> npt.NDArray[np.int64]:
    """Half away from zero, as ``bundle.quantize``."""
    whole: npt.NDArray[np.int64] = np.trunc(values + np.copysign(np.float32(0.5), values)).astype(np.int64)
    return whole


# --- sums


@dataclass(frozen=True)
class _Summed:
    """Tables with leaves and base in integers, and how their sum becomes the output."""

    tables: Tables
    quantization: Quantization
    multiplier: int
    shift: int


def _unit_range(kind: str) -> Quantization:
    """Of probabilities, as TFLite has it."""
    return Quantization((1 / 256,), (-128,)) if kind == "int8" else Quantization((1 / 32768,), (0,))


def _exponentials(scores: Array, kind: str) -> Quantization:
    """Of e to the scores, none of which is negative."""
    if kind != "int8":
        raise UnsupportedError("EXP behind trees has no kernel for 16 bits", "use --quantize int8 or float32")
    with np.errstate(over="ignore"):
        most = float(np.exp(scores.max()))
    if not np.isfinite(most):
        raise UnsupportedError("the exponential of these trees' sums is infinite", "use --quantize float32")
    return Quantization((max(most, 1e-30) / 255,), (-128,))


def _probabilities(tables: Tables, real_leaves: Array, kind: str) -> _Summed:
    """Leaves that are votes are counted; shares have 8 bits for int8, and for int16 are 2^shift outputs."""
    trees = len(tables.roots)
    tables = replace(tables, base=np.zeros(len(tables.base), np.int32))
    shares, ones = real_leaves * trees, 1 << 8 if kind == "int8" else 1 << 15
    are_votes = bool(np.isin(np.rint(shares * 1e6), (0, 1e6)).all())
    if kind == "int16" and not are_votes:
        shift = math.floor(math.log2(trees))
        whole = min(round(2.0**shift * ones / trees), np.iinfo(np.int16).max)
        leaves = np.rint(shares * whole).astype(np.int16)
        return _Summed(replace(tables, leaves=leaves), _unit_range(kind), 1, shift)
    most = 1 if are_votes else 255
    shift = 31 - ones.bit_length()  # the largest with which sum * multiplier has 31 bits
    multiplier = round(2.0**shift * ones / (most * trees))
    leaves = np.rint(shares * most).astype(np.uint8)
    return _Summed(replace(tables, leaves=leaves), _unit_range(kind), multiplier, shift)


def _sums(tables: Tables, model: _FloatModel, scores: Array, kind: str) -> _Summed:
    """Leaves that are 2^shift outputs: the finest that 16 bits hold, or 32 where outputs are finer still."""
    quantization = _range(model, scores, kind)
    for leaf_type, bits in ((np.int16, 15), (np.int32, _SUM_BITS)):
        for shift in range(15, -1, -1):
            step = quantization.scale * 2.0**-shift
            leaves, base = np.rint(model.real_leaves / step), np.rint(model.real_base / step)
            if np.abs(leaves).max() >= 1 << bits or np.abs(base).max() >= 1 << 30:
                continue
            whole = replace(tables, leaves=leaves.astype(leaf_type), base=base.astype(np.int32))
            if largest_sum(whole) + (1 << shift) < 1 << _SUM_BITS:
                return _Summed(whole, quantization, 1, shift)
    raise UnsupportedError(
        "the leaves of these trees are too large for what they sum up to", "use --quantize float32"
    )


def _range(model: _FloatModel, scores: Array, kind: str) -> Quantization:
    """Of the sums: all that trees can give, unless that is far beyond what the samples show."""
    low, high = float(min(scores.min(), 0)), float(max(scores.max(), 0))
    least, most = _bounds(model)
    if most - least <= 2 * (high - low):
        low, high = min(least, 0.0), max(most, 0.0)
    if kind == "int16":
        return Quantization((max(-low, high, 1e-30) / 32767,), (0,))
    scale = max(high - low, 1e-30) / 255
    return Quantization((scale,), (round(-128 - low / scale),))


def _bounds(model: _FloatModel) -> tuple[float, float]:
    """No output is below or above."""
    tables, outputs = model.tables, len(model.real_base)
    parents, sides = np.nonzero(tables.children < 0)
    tree = tree_of_nodes(tables)[parents]
    leaves = model.real_leaves[-1 - tables.children[parents, sides]].reshape(len(parents), -1)
    low = np.full((len(tables.roots), leaves.shape[1]), np.inf)
    high = -low
    np.minimum.at(low, tree, leaves)
    np.maximum.at(high, tree, leaves)
    if model.real_leaves.ndim == 2 or tables.targets is None:
        return float((model.real_base + low.sum(0)).min()), float((model.real_base + high.sum(0)).max())
    least, most = model.real_base.copy(), model.real_base.copy()
    np.add.at(least, tables.targets, low[:, 0])
    np.add.at(most, tables.targets, high[:, 0])
    assert len(least) == outputs
    return float(least.min()), float(most.max())
