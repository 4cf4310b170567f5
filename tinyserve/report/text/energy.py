# SPDX-License-Identifier: Apache-2.0
"""A measured energy for people."""

from __future__ import annotations

from rich.table import Table

from tinyserve.bench.result import Energy
from tinyserve.report import figures


def energy_table(energy: Energy) -> Table:
    """The figures, one to a row."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("", style="dim")
    table.add_column("", justify="right")
    rows = [
        ("per inference, idle subtracted", f"{figures.number(energy.per_inference_uj, 4)} µJ"),
        ("per inference, idle included", f"{figures.number(energy.per_inference_with_idle_uj, 4)} µJ"),
        ("average power while inferring", f"{figures.number(energy.average_mw, 4)} mW"),
        ("idle power", f"{figures.number(energy.idle_mw, 4)} mW"),
        ("supply", f"{energy.supply_v:g} V"),
        ("inferences", f"{energy.inferences:,}"),
        ("samples", f"{energy.samples:,}, {energy.dropped_samples:,} dropped"),
        ("meter", energy.meter),
        ("calibration", energy.calibration or "not known"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    return table
