# SPDX-License-Identifier: Apache-2.0
"""How channels flow through operators: the rules that dead-channel elimination is made of.

A channel is an index into a tensor's last axis. Each rule answers three questions for its operators: which
output channels hold one known value everywhere, which input channels the kept outputs need, and what changes
in the operator when channels go.
"""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.passes.channels.depthwise import Depthwise
from tinyserve.compiler.passes.channels.mixing import Mixing
from tinyserve.compiler.passes.channels.moving import Concatenation, Elementwise, Flatten
from tinyserve.compiler.passes.channels.state import Pinned, Rule

_RULES: tuple[Rule, ...] = (Mixing(), Depthwise(), Elementwise(), Flatten(), Concatenation())
_PINNED = Pinned()


def rule_for(node: Node) -> Rule:
    """The rule that covers an operator; one that keeps all channels where none does."""
    if node.custom:
        return _PINNED
    if not node.inputs or not node.outputs:
        return _PINNED
    return next((rule for rule in _RULES if rule.covers(node)), _PINNED)
