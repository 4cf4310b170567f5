# SPDX-License-Identifier: Apache-2.0
"""Which layer loses the accuracy, as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.compiler.names import short_name
from tinyserve.convert.check.debug import Diagnosis, cause
from tinyserve.convert.check.quality import INPUT, LayerQuality
from tinyserve.report.layer_groups import MOST_ROWS
from tinyserve.report.text.schemes import variants_table
from tinyserve.words import counted


def diagnosis_view(diagnosis: Diagnosis) -> RenderableType:
    """Every layer, those that lose most marked, then what each remedy gave and cost."""
    parts: list[RenderableType] = [_layers(diagnosis.layers, diagnosis.suspects), Text()]
    if diagnosis.suspects:
        parts.append(Text("loses the most", style="bold"))
        parts += [_suspect(layer) for layer in diagnosis.suspects]
    else:
        parts.append(Text("every layer has 30 dB, or loses less than 3 dB by itself", style="green"))
    if diagnosis.outcomes:
        parts += [Text(), variants_table([outcome.tried for outcome in diagnosis.outcomes])]
    else:
        parts.append(Text("with --representative DATA remedies are tried and measured", style="dim"))
    return Group(*parts)


def _suspect(layer: LayerQuality) -> Text:
    return Text(f"  {short_name(layer.tensor)}", style="bold red") + Text(f"  {cause(layer)}", style="")


def _layers(layers: Sequence[LayerQuality], suspects: Sequence[LayerQuality]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right")
    for column in ("operator", "writes"):
        table.add_column(column, no_wrap=True)
    for column in ("SQNR", "loses", "cosine", "max error", "saturated", "levels", "weights lost"):
        table.add_column(column, justify="right", no_wrap=True)
    shown = _worth_showing(layers, suspects)
    for layer in shown:
        table.add_row(
            "" if layer.index == INPUT else str(layer.index), layer.op, short_name(layer.tensor),
            _decibels(layer.sqnr_db), _decibels(layer.loss_db),
            "—" if layer.cosine is None else f"{layer.cosine:.5f}", f"{layer.max_error:.4g}",
            _share(layer.saturated), "—" if layer.levels is None else f"{layer.levels:.0f}",
            _share(layer.weights_lost), style="bold red" if layer in suspects else "",
        )  # fmt: skip
    left_out = [layer for layer in layers if layer not in shown]
    if left_out:
        least = min((one.sqnr_db for one in left_out if one.sqnr_db is not None), default=None)
        losing = counted(len(left_out), "layer that loses", "layers that lose")
        table.caption = f"and {losing} less, {_decibels(least)} or more"
        table.caption_justify = "left"
    return table


def _worth_showing(
    layers: Sequence[LayerQuality], suspects: Sequence[LayerQuality]
) -> Sequence[LayerQuality]:
    """All of a few layers; of many the suspects and those that lose the most, in order."""
    if len(layers) <= MOST_ROWS:
        return layers
    by_loss = sorted(layers, key=lambda one: -(one.loss_db or 0.0))
    kept = list(dict.fromkeys(id(one) for one in (*suspects, *by_loss)))[:MOST_ROWS]
    return [one for one in layers if id(one) in kept]


def _share(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.1f} %"


def _decibels(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f} dB"
