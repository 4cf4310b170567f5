# SPDX-License-Identifier: Apache-2.0
"""What the decoders of machine code tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Transfer:
    """A call or a jump that may leave the function. ``target`` None: in a register, not known."""

    target: int | None
