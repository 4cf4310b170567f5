# SPDX-License-Identifier: Apache-2.0
"""Elementwise operators of two inputs on Helium, whatever is broadcast: ``kernels/mve/broadcast.h``."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.binary import QUANTIZED, Binary
from tinyserve.compiler.ops.support.calls import Kernel
from tinyserve.compiler.variants import Candidate

_REASON = "four elements at a time"


def candidates(node: Node, lowering: Lowering, definition: Binary, each: float) -> list[Candidate]:
    """One candidate for int8 and int16, of ``each`` instructions an element."""
    output = node.output
    if output.dtype not in QUANTIZED:
        return []
    function = f"ts_mve_{definition.kernel}_{definition.suffixes[output.dtype]}"
    kernel = Kernel(function, f"mve/{definition.header}.h", "mve", _REASON)
    return [Candidate("mve", output.elements * each, _REASON, lambda: definition.add(node, lowering, kernel))]
