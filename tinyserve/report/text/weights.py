# SPDX-License-Identifier: Apache-2.0
"""What pruning and clustering left of a model's weights, as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tinyserve.bundle import WeightStatistics
from tinyserve.compiler.names import short_name

_PRUNED = 0.2
_CLUSTERED = 32
_MANY = 256


def weights_table(weights: Sequence[WeightStatistics]) -> Table | None:
    """The layers that training has pruned (a fifth of the weights are 0) or clustered (many weights share up
    to 32 values), or whose weights have 4 bits; None where there is no such layer."""
    found = [layer for layer in weights if _is_notable(layer)]
    if not found:
        return None
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("weights")
    for column in ("type", "weights", "zeros", "distinct values"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in found:
        share = f"{100 * layer.zeros / layer.elements:.1f} %"
        table.add_row(
            short_name(layer.name), layer.dtype, f"{layer.elements:,}", share, f"{layer.distinct:,}"
        )
    return table


def _is_notable(layer: WeightStatistics) -> bool:
    pruned = layer.elements > 0 and layer.zeros / layer.elements >= _PRUNED
    return pruned or layer.dtype == "int4" or (layer.elements >= _MANY and layer.distinct <= _CLUSTERED)
