# SPDX-License-Identifier: Apache-2.0
"""What optimizing did, pass by pass."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PassResult:
    """One pass over all of its rounds. ``removed`` names what is gone or merged, as text."""

    name: str
    changes: int
    macs_before: int
    macs_after: int
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class PassReport:
    """All passes in the order of their first run. MACs are multiply-accumulates of one inference, with one
    turn of each of the ``open_loops``, whose number of turns depends on data."""

    passes: tuple[PassResult, ...] = ()
    macs_before: int = 0
    macs_after: int = 0
    operators_before: int = 0
    operators_after: int = 0
    open_loops: tuple[str, ...] = ()

    @property
    def changes(self) -> int:
        return sum(result.changes for result in self.passes)
