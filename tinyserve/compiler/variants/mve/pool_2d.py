# SPDX-License-Identifier: Apache-2.0
"""Pools of int8 on Helium."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate, pools

_LANES = {"MAX_POOL_2D": 16, "AVERAGE_POOL_2D": 4}


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """At most one candidate."""
    return pools.candidates(node, lowering, "mve", _LANES)
