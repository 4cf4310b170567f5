# SPDX-License-Identifier: Apache-2.0
"""What a pipeline's paths cost, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.result import PipelineCost
from tinyserve.report import figures, quality
from tinyserve.words import counted


def pipeline_view(cost: PipelineCost) -> RenderableType:
    """A row per path, the average by their shares, the bound, and the single model beside them."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(f"paths of {counted(cost.samples, 'inference')}")
    for column in ("share", "least", "mean", "most"):
        table.add_column(column, justify="right")
    for path in cost.paths:
        values = (figures.number(value) for value in (path.least, path.mean, path.most))
        table.add_row(" + ".join(path.nodes), figures.percent(path.samples, cost.samples), *values)
    table.add_row("on average", "", "", Text(figures.number(cost.mean), style="bold"), "")
    if cost.bound is not None:
        table.add_row("all conditions hold (bound)", "", "", "", figures.number(cost.bound))
    lines: list[RenderableType] = [table]
    if cost.rival is not None:
        lines.append(Text(f"{cost.rival.name} alone: {_rival(cost)}"))
    if cost.energy_uj is not None:
        said = f"energy of the average inference (estimate): {figures.estimate(cost.energy_uj)}"
        lines.append(Text(said, style="dim"))
    return Group(*lines)


def _rival(cost: PipelineCost) -> str:
    rival = cost.rival
    assert rival is not None
    said = f"{figures.number(rival.ticks)} {figures.unit(cost.unit)}"
    said += f", of which the pipeline takes {cost.mean / rival.ticks:.2f} on average"
    return said if rival.scores is None else f"{said}; {quality.scores(rival.scores)} on the same data"
