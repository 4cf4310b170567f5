# SPDX-License-Identifier: Apache-2.0
"""FeaturePower: the power or magnitude of a spectrum's bins. Kernel in ``kernels/power_spectrum.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.features.support import FeatureOp
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.program import Params


@dataclass(frozen=True)
class PowerSpectrumParams(Params, c_type="ts_power_spectrum_params"):
    count: int
    magnitude: int


class PowerSpectrum(FeatureOp):
    """[..][2 * bins], as re and im, to [..][bins]; the square root with ``magnitude``."""

    name = "FeaturePower"
    kernel = "ts_power_spectrum"
    header = "power_spectrum.h"

    def params(self, node: Node) -> PowerSpectrumParams:
        checks.elements(node, node.input("input"), 2 * node.output.elements, "input")
        return PowerSpectrumParams(count=node.output.elements, magnitude=option(node, "magnitude", 0, 1))


OPS = (PowerSpectrum(),)
