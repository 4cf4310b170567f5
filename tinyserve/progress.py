# SPDX-License-Identifier: Apache-2.0
"""How long steps say how far they are."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with a stage's name as it begins, and with how far it is (0 of 0: unknown)."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None: ...


def silent(stage: str, done: int = 0, total: int = 0) -> None:
    """Says nothing."""
