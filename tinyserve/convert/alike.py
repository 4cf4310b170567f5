# SPDX-License-Identifier: Apache-2.0
"""Names of tensors that have the same part in every step of an unrolled layer.

A front end calls such tensors by ``step``; ``quantize.turns`` gives them one range.
"""

from __future__ import annotations

import re

_STEP = re.compile(r"(^|[./])(step|backwards)~\d+(?=/)")


def step(layer: str, number: int) -> str:
    """A part of the names of what belongs to one step. ``layer``: "step", or "backwards"."""
    return f"{layer}~{number}"


def role(name: str) -> str:
    """The name without the number of the step; '' for what is in no step."""
    found, count = _STEP.subn(r"\1\2", name)
    return found if count else ""
