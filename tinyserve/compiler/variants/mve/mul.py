# SPDX-License-Identifier: Apache-2.0
"""MUL on Helium: four elements at a time."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.elementwise.mul import Mul
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.mve import elements


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for integers, whatever is broadcast."""
    return elements.candidates(node, lowering, Mul(), 4.0)
