# SPDX-License-Identifier: Apache-2.0
"""FeatureBiquad: IIR filters as cascades of second-order sections. Kernel in ``kernels/biquad.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import MOST, FeatureOp, constant, samples_of
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.program import Buffer, Params

_COEFFICIENTS = 5


@dataclass(frozen=True)
class BiquadParams(Params, c_type="ts_biquad_params"):
    samples: int
    width: int
    sections: int
    keep: int


class Biquad(FeatureOp):
    """[samples][width] to the same, each column filtered by coefficients [sections][b0, b1, b2, a1, a2].

    ``history``: the filter's state lives across inferences; without, each begins with zeros.
    """

    name = "FeatureBiquad"
    inputs = ("input", "coefficients")
    kernel = "ts_biquad"
    header = "biquad.h"

    def params(self, node: Node) -> BiquadParams:
        width = option(node, "width", 1, MOST)
        checks.elements(node, node.output, node.input("input").elements, "output")
        return BiquadParams(
            samples=samples_of(node, width),
            width=width,
            sections=_sections(node),
            keep=option(node, "history", 0, 1),
        )

    def macs(self, node: Node) -> int:
        return _COEFFICIENTS * _sections(node) * node.output.elements

    def working(self, node: Node, lowering: Lowering) -> Sequence[Buffer]:
        sections, width = _sections(node), option(node, "width", 1, MOST)
        nbytes, size = 2 * 4 * sections * width, f"TS_BIQUAD_STATE_BYTES({sections}, {width})"
        name = f"{node.output.name}_memory"
        kept = option(node, "history", 0, 1)
        return ((lowering.state if kept else lowering.scratch)(name, nbytes, size=size),)


def _sections(node: Node) -> int:
    count = node.input("coefficients").elements // _COEFFICIENTS
    constant(node, "coefficients", DType.FLOAT32, (count, _COEFFICIENTS))
    if not count:
        raise checks.invalid(node, "it has no section")
    return count


OPS = (Biquad(),)
