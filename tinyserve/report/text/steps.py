# SPDX-License-Identifier: Apache-2.0
"""The costs of steps for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.bench.counts.profiling import HOST_INSTRUCTIONS, Profile
from tinyserve.bench.counts.steps import Step
from tinyserve.report.text.profile import HOST_WORDS


def steps_view(profile: Profile, steps: Sequence[Step], by_rows: bool = False) -> RenderableType:
    """Layers with what each costs, then the costliest step of each budget. ``by_rows``: a layer that is
    computed by rows counts as many as it has steps."""
    what = "steps of rows" if by_rows else "layers"
    layers = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("#", "layer", "operator", profile.unit):
        layers.add_column(name, justify="left" if name in ("layer", "operator") else "right", no_wrap=True)
    for index, layer in enumerate(profile.layers):
        layers.add_row(str(index), layer.name, layer.op, f"{layer.ticks:,}")
    budgets = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    first = "from step" if by_rows else "from layer"
    for name in (f"{what} a step", "steps", f"most {profile.unit} in one", first):
        budgets.add_column(name, justify="right", no_wrap=True)
    if profile.setup.feed == "rows":
        budgets.caption = "step 0 is the feed of the row that takes longest"
    for step in steps:
        budgets.add_row(str(step.budget), str(step.steps), f"{step.ticks:,}", str(step.first))
    head = Text(f"{profile.model.name} on {profile.setup.board}", style="bold")
    counts = " (of those that are computed by rows, n steps of some rows)" if by_rows else ""
    note = f"ts_NAME_step(n) runs at most n layers{counts}; the call itself takes a few instructions"
    host = [Text(HOST_WORDS, style="dim")] if profile.unit == HOST_INSTRUCTIONS else []
    return Group(head, Text(), layers, Text(), budgets, Text(), Text(note, "dim"), *host)
