# SPDX-License-Identifier: Apache-2.0
"""FeatureScale: numbers of any type, less offsets, times factors. Kernels in ``kernels/scale_features.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import FeatureOp, constant, samples_of
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.overlap import overlaps
from tinyserve.compiler.program import Overlap, Params

_SUFFIX = {
    DType.INT8: "s8",
    DType.UINT8: "u8",
    DType.INT16: "s16",
    DType.INT32: "s32",
    DType.FLOAT32: "f32",
}


@dataclass(frozen=True)
class ScaleFeaturesParams(Params, c_type="ts_scale_features_params"):
    rows: int
    width: int


class ScaleFeatures(FeatureOp):
    """[..][width] of any type to float32: (x - offsets) * factors, with one for all or one for each."""

    name = "FeatureScale"
    inputs = ("input", "offsets", "factors")
    types = _SUFFIX
    header = "scale_features.h"

    def check(self, node: Node) -> None:
        checks.dtype(node, node.input("input"), self.types, "input")
        checks.dtype(node, node.output, (DType.FLOAT32,), "output")
        self.params(node)

    def params(self, node: Node) -> ScaleFeaturesParams:
        width = node.input("offsets").elements
        for name in ("offsets", "factors"):
            constant(node, name, DType.FLOAT32, (width,))
        checks.elements(node, node.output, node.input("input").elements, "output")
        return ScaleFeaturesParams(samples_of(node, width), width)

    def function(self, node: Node) -> str:
        return f"ts_scale_features_{_SUFFIX[node.input('input').dtype]}"

    def overlaps(self, node: Node, lowering: Lowering) -> Sequence[Overlap]:
        """Floats may be written over what was read."""
        if node.input("input").dtype is not DType.FLOAT32:
            return ()
        return overlaps(lowering.operand(node.input("input")), lowering.buffer(node.output), 0)


OPS = (ScaleFeatures(),)
