# SPDX-License-Identifier: Apache-2.0
"""FeatureSpectrum with complex numbers in pairs of FPU registers."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.features.spectrum import LONGEST, SHORTEST, Spectrum
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.variants import Candidate

_REASON = "a complex number per load, in FPU registers"
_SOURCES = ("fpu/spectrum.S",)


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate."""
    input, length = node.input("input"), option(node, "fft_length", SHORTEST, LONGEST)
    cost = input.elements // input.shape[-1] * length * (3.0 * length.bit_length() + 8)
    op = Spectrum()
    kernel = Kernel(f"ts_fpu_spectrum_{op.unit(node)}", "fpu/spectrum.h", "fpu", _REASON)
    return [Candidate("fpu", cost, _REASON, lambda: op.add(node, lowering, kernel, _SOURCES))]
