# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB on Helium: four elements at a time."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.elementwise.add import Add, Sub
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate
from tinyserve.compiler.variants.mve import elements


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """One candidate for integers, whatever is broadcast."""
    definition = Add() if node.name == "ADD" else Sub()
    return elements.candidates(node, lowering, definition, 6.0)
