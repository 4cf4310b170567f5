# SPDX-License-Identifier: Apache-2.0
"""Nodes without a model that judge values: limits, the best classes or none, how unusual they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tinyserve.errors import DataError
from tinyserve.pipeline.spec import AnomalyNode, GuardNode, TopNode
from tinyserve.pipeline.values import FLOATS, Desk, Kind, Value

_ONE = Kind((1, 1), FLOATS)
_NONE = -1

Policy = GuardNode | TopNode | AnomalyNode
OUTPUTS = {GuardNode: ("values", "ok"), TopNode: ("classes", "scores"), AnomalyNode: ("score",)}
"""What the nodes give, by name."""


def described(node: Policy, given: Sequence[Value]) -> list[Value]:
    """The node's outputs, without tensors yet. Raises DataError where the node does not fit its values."""
    if isinstance(node, GuardNode):
        kinds = _checked_guard(node, given[0])
    elif isinstance(node, TopNode):
        kinds = _checked_top(node, given[0])
    else:
        kinds = _checked_anomaly(node, given)
    nothing = _NONE if isinstance(node, TopNode) else 0
    return [
        Value(-1, kind, f"'{node.name}.{name}'", nothing if kind.dtype == "int32" else 0)
        for kind, name in zip(kinds, OUTPUTS[type(node)], strict=True)
    ]


def written(node: Policy, desk: Desk, given: Sequence[Value]) -> list[int]:
    """The operators; the tensors of what ``described`` describes."""
    real = [desk.real(value) for value in given]
    if isinstance(node, GuardNode):
        return _guard(node, desk, real[0])
    if isinstance(node, TopNode):
        return _top(node, desk, real[0])
    return [_nearest(node, desk, real[0]) if node.centroids else _difference(desk, *real)]


# --- limits


def _checked_guard(node: GuardNode, value: Value) -> list[Kind]:
    _check_real(value)
    if node.low is None and node.high is None:
        raise DataError("a guard without limits", "low = 0, or high, or both")
    low, high = (_row(limit, value, name) for limit, name in ((node.low, "low"), (node.high, "high")))
    if low is not None and high is not None and (low > high).any():
        raise DataError("low is above high: no value would pass", "low = at most high")
    instead = _row(node.instead, value, "instead")
    for limit, outside in ((low, np.less), (high, np.greater)):
        if instead is not None and limit is not None and outside(instead, limit).any():
            raise DataError("what is given instead does not lie within the limits", "a value within them")
    return [Kind(value.kind.shape, FLOATS), Kind((1, 1), "int32")]


def _row(given: float | list[float] | None, value: Value, name: str) -> np.ndarray | None:
    """One number, or one for each of the last axis."""
    if given is None:
        return None
    row = np.array(given if isinstance(given, list) else [given], np.float32)
    if len(row) not in (1, value.kind.shape[-1]):
        raise DataError(
            f"{len(row)} values of {name} for {value.what}, {value.kind.named()}", "one, or one for each"
        )
    return row


def _guard(node: GuardNode, desk: Desk, value: Value) -> list[int]:
    """What is no number is within no limits, since comparisons with it do not hold: it becomes the lower."""
    kept, flags = value.tensor, []
    bool_kind = Kind(value.kind.shape, "bool")
    for limit, op, options in (
        (node.low, "GREATER_EQUAL", "GreaterEqualOptions"),
        (node.high, "LESS_EQUAL", "LessEqualOptions"),
    ):
        if limit is None:
            continue
        bound = desk.constant(_row(limit, value, "limit"))
        holds = desk.builtin(op, options, [kept, bound], bool_kind)
        flags.append(holds)
        if node.instead is None:
            kept = desk.builtin("SELECT_V2", "SelectV2Options", [holds, kept, bound], value.kind)
    inside = flags[0]
    for flag in flags[1:]:
        inside = desk.builtin("LOGICAL_AND", "LogicalAndOptions", [inside, flag], bool_kind)
    if node.instead is not None:
        other = desk.constant(_row(node.instead, value, "instead"))
        kept = desk.builtin("SELECT_V2", "SelectV2Options", [inside, kept, other], value.kind)
    return [kept, _all(desk, replace(value, tensor=inside, kind=bool_kind))]


def _all(desk: Desk, flags: Value) -> int:
    """1 where all hold, else 0: int32 [1, 1]."""
    numbers = Kind(flags.kind.shape, FLOATS)
    row = desk.reshaped(
        replace(flags, tensor=desk.builtin("CAST", "CastOptions", [flags.tensor], numbers), kind=numbers),
        (1, flags.kind.elements),
    )
    least = _reduced(desk, "REDUCE_MIN", row.tensor, _ONE)
    return desk.builtin("CAST", "CastOptions", [least], Kind((1, 1), "int32"))


# --- the best classes


def _checked_top(node: TopNode, value: Value) -> list[Kind]:
    _check_real(value)
    classes = value.kind.elements
    if node.count > classes or (node.margin and classes < 2):
        wanted = f"the best {node.count}" if node.count > classes else "a margin"
        raise DataError(f"{wanted} of {classes} scores", f"count = {classes} at most, margin of two and more")
    return [Kind((1, node.count), "int32"), Kind((1, node.count), FLOATS)]


def _top(node: TopNode, desk: Desk, value: Value) -> list[int]:
    """-1 for classes whose score is too low, for all where the best is too near to the second."""
    row = desk.reshaped(value, (1, value.kind.elements))
    count = max(node.count, 2 if node.margin else 1)
    best = desk.tensor(Kind((1, count), FLOATS), "top")
    places = desk.tensor(Kind((1, count), "int32"), "places")
    wanted = desk.constant(count, "int32")
    desk.writer.builtin("TOPK_V2", "TopKV2Options", [row.tensor, wanted], [best, places])
    classes, scores = Kind((1, node.count), "int32"), Kind((1, node.count), FLOATS)
    kept = [_first(desk, tensor, kind) for tensor, kind in ((places, classes), (best, scores))]
    flag_kind, none = Kind((1, node.count), "bool"), desk.constant([[_NONE]], "int32")
    if node.least is not None:
        bound = desk.constant([[node.least]])
        high = desk.builtin("GREATER_EQUAL", "GreaterEqualOptions", [kept[1], bound], flag_kind)
        kept[0] = desk.builtin("SELECT_V2", "SelectV2Options", [high, kept[0], none], classes)
    if node.margin:
        first, second = (_entry(desk, best, place) for place in (0, 1))
        ahead = desk.builtin("SUB", "SubOptions", [first, second], _ONE)
        bound = desk.constant([[node.margin]])
        far = desk.builtin("GREATER_EQUAL", "GreaterEqualOptions", [ahead, bound], Kind((1, 1), "bool"))
        kept[0] = desk.builtin("SELECT_V2", "SelectV2Options", [far, kept[0], none], classes)
    return kept


def _first(desk: Desk, tensor: int, kind: Kind) -> int:
    bounds = [desk.constant(numbers, "int32") for numbers in ((0, 0), kind.shape)]
    return desk.builtin("SLICE", "SliceOptions", [tensor, *bounds], kind)


def _entry(desk: Desk, tensor: int, place: int) -> int:
    bounds = [desk.constant(numbers, "int32") for numbers in ((0, place), (1, 1))]
    return desk.builtin("SLICE", "SliceOptions", [tensor, *bounds], _ONE)


# --- how unusual


def _checked_anomaly(node: AnomalyNode, given: Sequence[Value]) -> list[Kind]:
    for value in given:
        _check_real(value)
    if (node.against is None) == (node.centroids is None):
        raise DataError(
            "an anomaly is a difference from another place, or a distance from centroids: one of the two",
            'against = "input", or centroids = [[...], ...]',
        )
    first = given[0]
    if node.against is not None and node.scales is not None:
        raise DataError("scales are those of centroids", "leave scales out")
    if len(given) > 1 and given[1].kind.elements != first.kind.elements:
        raise DataError(
            f"{first.what} is {first.kind.named()}, and {given[1].what} {given[1].kind.named()}",
            "as many values of both",
        )
    width = first.kind.elements
    for row in [*(node.centroids or ()), *([node.scales] if node.scales else ())]:
        if len(row) != width:
            raise DataError(f"a centroid or scales of {len(row)} values for {width}", "one for each value")
    if node.scales is not None and min(node.scales) <= 0:
        raise DataError("a scale of 0 or less", "deviations of the values, above 0")
    return [_ONE]


def _difference(desk: Desk, value: Value, other: Value) -> int:
    """The mean of the squares of the differences."""
    kind = Kind((1, value.kind.elements), FLOATS)
    rows = [desk.reshaped(one, kind.shape).tensor for one in (value, other)]
    squares = desk.builtin("SQUARED_DIFFERENCE", "SquaredDifferenceOptions", rows, kind)
    return _reduced(desk, "MEAN", squares, _ONE)


def _nearest(node: AnomalyNode, desk: Desk, value: Value) -> int:
    """The least distance from a centroid, in scales."""
    assert node.centroids is not None
    width, count = value.kind.elements, len(node.centroids)
    scales = np.array(node.scales or [1.0] * width, np.float32)
    row = desk.reshaped(value, (1, width)).tensor
    if node.scales is not None:
        inverse = desk.constant(np.float32(1) / scales[None, :])
        row = desk.builtin("MUL", "MulOptions", [row, inverse], Kind((1, width), FLOATS))
    centroids = desk.constant(np.array(node.centroids, np.float32) * (np.float32(1) / scales))
    kind = Kind((count, width), FLOATS)
    squares = desk.builtin("SQUARED_DIFFERENCE", "SquaredDifferenceOptions", [row, centroids], kind)
    sums = _reduced(desk, "SUM", squares, Kind((count, 1), FLOATS))
    across = Value(sums, Kind((count, 1), FLOATS), value.what)
    least = _reduced(desk, "REDUCE_MIN", desk.reshaped(across, (1, count)).tensor, _ONE)
    return desk.builtin("SQRT", "", [least], _ONE)


def _reduced(desk: Desk, op: str, tensor: int, kind: Kind) -> int:
    """Over the last axis of two, which stays."""
    axis = desk.constant([1], "int32")
    return desk.builtin(op, "ReducerOptions", [tensor, axis], kind, keepDims=True)


def _check_real(value: Value) -> None:
    if not value.kind.is_real:
        raise DataError(
            f"{value.what} is {value.kind.named()}", "real numbers: float32, or integers with a scale"
        )


Work = Callable[[Desk, dict[int, int]], list[int]]


def work(node: Policy, given: Sequence[Value]) -> Work:
    """Writes the node in any graph, by the tensors that stand there for what it is given."""

    def write(desk: Desk, entered: dict[int, int]) -> list[int]:
        return written(node, desk, [replace(value, tensor=entered[value.tensor]) for value in given])

    return write
