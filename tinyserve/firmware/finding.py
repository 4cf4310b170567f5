# SPDX-License-Identifier: Apache-2.0
"""What was looked for on this machine, and the command that installs it where it is missing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    ``needed``: without it the board (or, without a board, the default workflow) does not work; else it only
    adds something.
    """

    name: str
    purpose: str
    found: str
    remedy: str
    needed: bool

    @property
    def ok(self) -> bool:
        return bool(self.found)
