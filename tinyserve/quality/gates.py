# SPDX-License-Identifier: Apache-2.0
"""Limits that a command is given: --min-agreement, --min-sqnr, --max-drop. A broken one is status 3."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.quality.limits import Quality


@dataclass(frozen=True)
class Gates:
    """``min_agreement`` and ``max_drop`` are shares (0.02: two points); None where nothing is asked."""

    min_agreement: float | None = None
    min_sqnr: float | None = None
    max_drop: float | None = None

    def broken(self, quality: Quality | None, name: str = "") -> list[str]:
        """A sentence per gate that is not kept. A figure that is not known keeps none."""
        found = quality or Quality(grade="fair", reasons=[])
        of = f"{name}: " if name else ""
        said = []
        if self.min_agreement is not None and (
            found.agreement is None or found.agreement < self.min_agreement
        ):
            got = _UNKNOWN_CLASSES if found.agreement is None else f"is {100 * found.agreement:.1f} %"
            said.append(f"{of}the agreement {got}, --min-agreement is {100 * self.min_agreement:g} %")
        if (
            self.min_sqnr is not None
            and not found.exact
            and (found.sqnr_db is None or found.sqnr_db < self.min_sqnr)
        ):
            got = (
                "is not known (no float original)" if found.sqnr_db is None else f"is {found.sqnr_db:.1f} dB"
            )
            said.append(f"{of}the SQNR {got}, --min-sqnr is {self.min_sqnr:g} dB")
        if self.max_drop is not None and (found.drop is None or found.drop > self.max_drop):
            got = (
                "is not known (it needs a float original and labelled samples)"
                if found.drop is None
                else f"is {100 * found.drop:.1f} points"
            )
            said.append(f"{of}the drop {got}, --max-drop is {100 * self.max_drop:g} points")
        return said


NO_GATES = Gates()
_UNKNOWN_CLASSES = "is not known (no float original, or no class scores)"
