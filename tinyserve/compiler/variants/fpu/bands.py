# SPDX-License-Identifier: Apache-2.0
"""FeatureBands with four products per pair of loads."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.features.bands import Bands
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate

_KERNEL = Kernel("ts_fpu_bands", "fpu/bands.h", "fpu", "four inputs and four weights per load")
_SOURCES = ("fpu/bands.S",)


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate."""
    cost = 3.0 * Bands().macs(node) + 20.0 * node.output.elements
    return [Candidate("fpu", cost, _KERNEL.reason, lambda: Bands().add(node, lowering, _KERNEL, _SOURCES))]
