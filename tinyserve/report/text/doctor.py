# SPDX-License-Identifier: Apache-2.0
"""What `doctor` found, as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from tinyserve.firmware.finding import Finding


def findings_table(findings: Sequence[Finding]) -> Table:
    """A row per thing: there, missing but needed, or missing."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "what", "for", "found, or how to get it"):
        table.add_column(column, no_wrap=column != "found, or how to get it")
    for finding in findings:
        if finding.ok:
            mark, detail = Text("✓", style="green"), Text(finding.found, style="dim")
        elif finding.needed:
            mark, detail = Text("✗", style="bold red"), Text(finding.remedy, style="bold")
        else:
            mark, detail = Text("–", style="dim"), Text(finding.remedy)
        table.add_row(mark, finding.name, Text(finding.purpose, style="dim"), detail)
    return table
