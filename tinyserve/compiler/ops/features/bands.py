# SPDX-License-Identifier: Apache-2.0
"""FeatureBands: mel filter banks, cosine transforms, any banded matrix. Kernel in ``kernels/bands.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import FeatureOp, constant, samples_of
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class BandsParams(Params, c_type="ts_bands_params"):
    rows: int
    width: int
    bands: int


class Bands(FeatureOp):
    """[..][width] to [..][bands]: sums of counts [bands] inputs from starts [bands] on, times the weights.

    The order of a sum is that of the inputs, on every core: float32 results are the same everywhere.
    """

    name = "FeatureBands"
    inputs = ("input", "starts", "counts", "weights")
    kernel = "ts_bands"
    header = "bands.h"
    variants = "bands"

    def params(self, node: Node) -> BandsParams:
        width, bands = node.input("input").shape[-1], node.input("starts").elements
        starts = constant(node, "starts", DType.INT32, (bands,)).astype("int64")
        counts = constant(node, "counts", DType.INT32, (bands,)).astype("int64")
        constant(node, "weights", DType.FLOAT32, (node.input("weights").elements,))
        if not bands or starts.min() < 0 or counts.min() < 0 or (starts + counts).max() > width:
            raise checks.invalid(node, f"bands beyond the {width} values of a row")
        if counts.sum() != node.input("weights").elements:
            raise checks.invalid(
                node, f"{node.input('weights').elements} weights where the bands have {counts.sum()}"
            )
        rows = samples_of(node, width)
        checks.elements(node, node.output, rows * bands, "output")
        return BandsParams(rows=rows, width=width, bands=bands)

    def macs(self, node: Node) -> int:
        width = node.input("input").shape[-1]
        return node.input("weights").elements * (node.input("input").elements // width)


OPS = (Bands(),)
