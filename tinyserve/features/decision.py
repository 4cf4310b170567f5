# SPDX-License-Identifier: Apache-2.0
"""A decision on class scores over time, as operators. Needs the schema of .tflite files (from LiteRT)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyserve.compiler.graph.types import Quantization
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.compiler.ops.features.decision import MOST_SCORES, MOST_VOTES
from tinyserve.errors import DataError, UnsupportedError
from tinyserve.features.flow import PREFIX
from tinyserve.features.spec import Decision
from tinyserve.words import counted

MOST_CLASSES = 1 << 12
_FLOATS = "float32"


def write(
    writer: GraphWriter,
    decision: Decision,
    scores: int,
    *,
    shape: Sequence[int],
    dtype: str,
    quantization: Quantization | None,
    name: str = "",
) -> int:
    """The event, int32 [1, 2], of a tensor of scores. ``name``: of the decision among several.

    Raises UnsupportedError for what are no scores, DataError for a decision that could never be an event, or
    never end, or that remembers too much.
    """
    check(decision, shape=shape, dtype=dtype, quantization=quantization)
    place = f"{PREFIX}{name}_decision" if name else f"{PREFIX}decision"
    real = scores
    if dtype != _FLOATS:
        real = writer.tensor(f"{place}/scores", shape, _FLOATS)
        if quantization is None:  # whole numbers: whether a guard's limits held
            writer.builtin("CAST", "CastOptions", [scores], real)
        else:
            writer.builtin("DEQUANTIZE", "", [scores], real)
    leave = decision.enter if decision.leave is None else decision.leave
    ignored = np.isin(np.arange(math.prod(shape)), decision.ignore).astype(np.int32)
    levels = np.array([decision.enter, leave, decision.margin], np.float32)
    constants = [writer.constant(f"{place}/ignored", ignored), writer.constant(f"{place}/levels", levels)]
    event = writer.tensor(name or "event", (1, 2), "int32")
    options = {
        "smoothing": decision.smoothing,
        "hold": decision.hold,
        "within": decision.within or 0,
        "refractory": decision.refractory,
    }
    writer.custom("FeatureDecision", [real, *constants], event, options)
    return event


def check(decision: Decision, *, shape: Sequence[int], dtype: str, quantization: Quantization | None) -> None:
    """Raises what ``write`` would raise."""
    classes = math.prod(shape)
    if not 1 <= classes <= MOST_CLASSES:
        raise UnsupportedError(
            f"a decision on an output of {counted(classes, 'value')}",
            "decisions are made on one output of class scores",
        )
    if any(number >= classes for number in decision.ignore):
        raise DataError(
            f"[decision] ignores class {max(decision.ignore)} of {classes}", f"0 to {classes - 1}"
        )
    if set(range(classes)) <= set(decision.ignore):
        raise DataError(
            f"[decision] ignores all {counted(classes, 'class', 'classes')}",
            "leave those out that are to be events",
        )
    if decision.leave is not None and decision.leave > decision.enter:
        raise DataError(
            f"[decision] leave = {decision.leave:g} is above enter = {decision.enter:g}: no event would last",
            "leave = at most enter",
        )
    if decision.within is not None and not decision.hold <= decision.within <= MOST_VOTES:
        raise DataError(
            f"[decision] hold = {decision.hold} of within = {decision.within} inferences",
            f"within = {decision.hold} to {MOST_VOTES}",
        )
    if decision.smoothing * classes > MOST_SCORES:
        raise DataError(
            f"[decision] smoothing = {decision.smoothing} of {counted(classes, 'class', 'classes')}",
            f"{MOST_SCORES // classes} at most",
        )
    if quantization is not None and dtype != _FLOATS:
        largest = (np.iinfo(dtype).max - quantization.zero_points[0]) * quantization.scales[0]
        if decision.enter > largest:
            raise DataError(
                f"[decision] enter = {decision.enter:g}, and no score of the model is above {largest:.4g}",
                "enter = below that",
            )
