# SPDX-License-Identifier: Apache-2.0
"""SVDF by Helium's dot products."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate, dots


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """At most one candidate."""
    return dots.svdf(node, lowering, dots.MVE)
