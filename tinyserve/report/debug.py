"""Which layer loses the accuracy, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyserve.codegen.names import short_name
from tinyserve.convert.debug import Diagnosis
from tinyserve.convert.quality import LayerQuality
from tinyserve.convert.variants import Outcome


def diagnosis_view(diagnosis: Diagnosis) -> RenderableType:
    """Every layer, those that lose most marked, then what each remedy gave and cost."""
    parts: list[RenderableType] = [_layers(diagnosis.layers, diagnosis.suspects), Text()]
    if diagnosis.suspects:
        worst = ", ".join(short_name(layer.tensor) for layer in diagnosis.suspects)
        parts.append(Text(f"loses the most: {worst}", style="bold"))
    else:
        parts.append(Text("no layer loses 3 dB or more by itself", style="green"))
    if diagnosis.outcomes:
        parts += [Text(), _outcomes(diagnosis.outcomes)]
    else:
        parts.append(Text("with --representative DATA remedies are tried and measured", style="dim"))
    return Group(*parts)


def _layers(layers: Sequence[LayerQuality], suspects: Sequence[LayerQuality]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right")
    for column in ("operator", "writes"):
        table.add_column(column, no_wrap=True)
    for column in ("SQNR", "loses", "cosine", "max error", "saturated"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in layers:
        table.add_row(
            str(layer.index), layer.op, short_name(layer.tensor),
            _decibels(layer.sqnr_db), _decibels(layer.loss_db),
            "—" if layer.cosine is None else f"{layer.cosine:.5f}", f"{layer.max_error:.4g}",
            f"{100 * layer.saturated:.2f} %", style="bold red" if layer in suspects else "",
        )  # fmt: skip
    return table


def _outcomes(outcomes: Sequence[Outcome]) -> Table:
    """What was tried, the first being the default."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("tried", "how"):
        table.add_column(column)
    for column in ("score", "SQNR", "constants", "arena", "MACs"):
        table.add_column(column, justify="right", no_wrap=True)
    for outcome in outcomes:
        if outcome.score is None:
            table.add_row(outcome.variant.name, outcome.variant.advice, Text(outcome.failed, style="yellow"))
            continue
        table.add_row(
            outcome.variant.name, Text(outcome.variant.advice, style="dim"),
            f"{outcome.score.kind} {outcome.score.value:.4f}", _decibels(outcome.sqnr_db),
            f"{outcome.constant_bytes:,}", f"{outcome.arena_bytes:,}", f"{outcome.macs:,}",
        )  # fmt: skip
    return table


def _decibels(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f} dB"
