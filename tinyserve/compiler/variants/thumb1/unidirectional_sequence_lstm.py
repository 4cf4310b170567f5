# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM by Armv6-M's dot products."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.variants import Candidate, dots

_SHORT_BITS = 23
"""Of sums whose products with a byte of the multiplier fit 32 bits."""


def candidates(node: Node, lowering: Lowering) -> list[Candidate]:
    """At most one candidate."""
    return dots.lstm(node, lowering, dots.THUMB1, _SHORT_BITS)
