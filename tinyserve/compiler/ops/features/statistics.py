# SPDX-License-Identifier: Apache-2.0
"""FeatureStatistics: a window in a few numbers per channel. Kernel in ``kernels/statistics.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import MOST, FeatureOp, constant, samples_of
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.program import Buffer, Params

KINDS = (
    "mean", "std", "rms", "min", "max", "range", "mean_abs", "zero_crossings", "skewness", "kurtosis",
    "quantile",
)  # fmt: skip
"""As the kernel's enumeration has them. Deviations are those of a population; kurtosis is 0 for a normal
distribution; 0 where a constant has no skewness, and -3 as its kurtosis."""


@dataclass(frozen=True)
class StatisticsParams(Params, c_type="ts_statistics_params"):
    rows: int
    length: int
    width: int
    count: int


class Statistics(FeatureOp):
    """[rows][length][width] to [rows][width][kinds]; quantiles [kinds] are places among the sorted values."""

    name = "FeatureStatistics"
    inputs = ("input", "kinds", "quantiles")
    kernel = "ts_statistics"
    header = "statistics.h"

    def params(self, node: Node) -> StatisticsParams:
        width, length = option(node, "width", 1, MOST), option(node, "length", 1, MOST)
        count = node.input("kinds").elements
        kinds = constant(node, "kinds", DType.INT32, (count,))
        quantiles = constant(node, "quantiles", DType.FLOAT32, (count,))
        if not count or kinds.min() < 0 or kinds.max() >= len(KINDS):
            raise checks.invalid(node, f"kinds of statistics {kinds.tolist()}")
        if quantiles.min() < 0 or quantiles.max() > length - 1:
            raise checks.invalid(node, f"quantiles {quantiles.tolist()} of {length} values")
        rows = samples_of(node, width * length)
        checks.elements(node, node.output, rows * width * count, "output")
        return StatisticsParams(rows=rows, length=length, width=width, count=count)

    def working(self, node: Node, lowering: Lowering) -> Sequence[Buffer]:
        length = option(node, "length", 1, MOST)
        size = f"TS_STATISTICS_SCRATCH_BYTES({length})"
        return (lowering.scratch(f"{node.output.name}_sorted", 2 * 4 * length, size=size),)


OPS = (Statistics(),)
