# SPDX-License-Identifier: Apache-2.0
"""FeatureDecision: when scores over time are an event. Kernel in ``kernels/decision.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import MOST, FeatureOp, constant
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.program import Buffer, Operand, Params

MOST_SCORES = 1 << 16
MOST_VOTES = 1 << 10
_STATE_BYTES = 4 * 7  # TS_DECISION_STATE


@dataclass(frozen=True)
class DecisionParams(Params, c_type="ts_decision_params"):
    classes: int
    smoothing: int
    hold: int
    within: int
    refractory: int
    enter: float
    leave: float
    margin: float


class Decision(FeatureOp):
    """Scores [classes] to [event, active class] as int32, -1 for none.

    levels [3]: what a mean of the last ``smoothing`` scores must reach to become an event, below which it
    ends, and how far it must be above the second. ``hold``: how many of the last ``within`` inferences must
    agree (0, or as many: consecutive ones); ``refractory``: inferences after an event without another.
    ignored [classes]: 1 for classes that are never an event.
    """

    name = "FeatureDecision"
    inputs = ("input", "ignored", "levels")
    kernel = "ts_decision"
    header = "decision.h"

    def check(self, node: Node) -> None:
        checks.dtype(node, node.input("input"), self.types, "input")
        checks.dtype(node, node.output, (DType.INT32,), "output")
        self.params(node)

    def params(self, node: Node) -> DecisionParams:
        classes = node.input("input").elements
        smoothing = option(node, "smoothing", 1, MOST)
        if classes * smoothing > MOST_SCORES:
            raise checks.invalid(node, f"{smoothing} × {classes} scores are over {MOST_SCORES}")
        checks.elements(node, node.output, 2, "output")
        constant(node, "ignored", DType.INT32, (classes,))
        hold, within = option(node, "hold", 1, MOST), option(node, "within", 0, MOST_VOTES)
        if 0 < within < hold:
            raise checks.invalid(node, f"{hold} of the last {within} inferences")
        enter, leave, margin = map(float, constant(node, "levels", DType.FLOAT32, (3,)))
        return DecisionParams(
            classes=classes,
            smoothing=smoothing,
            hold=hold,
            within=max(hold, within),
            refractory=option(node, "refractory", 0, MOST),
            enter=enter,
            leave=leave,
            margin=margin,
        )

    def operands(self, node: Node, lowering: Lowering) -> Sequence[Operand]:
        """The levels are parameters of the kernel."""
        return [lowering.operand(node.input(name)) for name in ("input", "ignored")]

    def working(self, node: Node, lowering: Lowering) -> Sequence[Buffer | None]:
        params, name = self.params(node), node.output.name
        return (
            lowering.state(f"{name}_scores", 4 * params.smoothing * params.classes),
            lowering.state(f"{name}_state", _STATE_BYTES),
            lowering.state(f"{name}_votes", 4 * params.within) if params.within > params.hold else None,
        )


OPS = (Decision(),)
