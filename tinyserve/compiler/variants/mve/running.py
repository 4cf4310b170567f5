# SPDX-License-Identifier: Apache-2.0
"""Running sums of int8 on Helium."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate, running


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """At most one candidate."""
    return running.candidates(node, lowering, "mve", 8, "8 channels at a time")
