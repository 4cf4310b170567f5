# SPDX-License-Identifier: Apache-2.0
"""FeatureFir: FIR filters, moving averages, differences and decimation. Kernel in ``kernels/fir.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import MOST, FeatureOp, constant, samples_of
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.program import Buffer, Params


@dataclass(frozen=True)
class FirParams(Params, c_type="ts_fir_params"):
    samples: int
    width: int
    taps: int
    step: int
    keep: int


class Fir(FeatureOp):
    """[samples][width] to [samples / step][width]: each column's sums of taps [n] times its newest samples.

    ``history``: the newest samples live across inferences; without, zeros come before the first one.
    """

    name = "FeatureFir"
    inputs = ("input", "taps")
    kernel = "ts_fir"
    header = "fir.h"

    def params(self, node: Node) -> FirParams:
        width, step = option(node, "width", 1, MOST), option(node, "step", 1, MOST)
        samples = samples_of(node, width)
        if samples % step:
            raise checks.invalid(node, f"{samples} samples are no multiple of the step {step}")
        checks.elements(node, node.output, samples // step * width, "output")
        return FirParams(
            samples=samples,
            width=width,
            taps=_taps(node),
            step=step,
            keep=option(node, "history", 0, 1),
        )

    def macs(self, node: Node) -> int:
        return _taps(node) * node.output.elements

    def working(self, node: Node, lowering: Lowering) -> Sequence[Buffer]:
        taps, width = _taps(node), option(node, "width", 1, MOST)
        nbytes, size = max(4, 4 * (taps - 1) * width), f"TS_FIR_STATE_BYTES({taps}, {width})"
        name = f"{node.output.name}_newest"
        kept = option(node, "history", 0, 1)
        return ((lowering.state if kept else lowering.scratch)(name, nbytes, size=size),)


def _taps(node: Node) -> int:
    count = node.input("taps").elements
    constant(node, "taps", DType.FLOAT32, (count,))
    if not count:
        raise checks.invalid(node, "it has no tap")
    return count


OPS = (Fir(),)
