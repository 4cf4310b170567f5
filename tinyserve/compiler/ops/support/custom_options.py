# SPDX-License-Identifier: Apache-2.0
"""The integer options of custom operators, which are FlexBuffers maps in the file."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tinyserve.compiler.graph.flexbuffer import read_map
from tinyserve.compiler.graph.types import Node, Options
from tinyserve.compiler.ops.support import checks


@dataclass(frozen=True)
class CustomAttributes:
    """The options by name, as the file has them: integers and 0 or 1 for booleans."""

    values: tuple[tuple[str, int], ...]

    def get(self, name: str) -> int:
        """0 where the option is missing."""
        return dict(self.values).get(name, 0)


def read_attributes(options: Options) -> CustomAttributes:
    """The integer options of a custom operator."""
    found = read_map(options.custom) if options.custom else {}
    return CustomAttributes(
        tuple(sorted((key, int(value)) for key, value in found.items() if math.isfinite(value)))
    )


def option(node: Node, name: str, low: int, high: int) -> int:
    """An option's value. Raises ModelError unless low <= value <= high."""
    value: int = node.attributes.get(name)
    if not low <= value <= high:
        raise checks.invalid(node, f"option {name} is {value}, not within {low} to {high}")
    return value
