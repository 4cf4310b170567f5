# SPDX-License-Identifier: Apache-2.0
"""The arena over time as a picture file: offsets upwards, layers to the right, one box per buffer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve.bench.result import ArenaBlock
from tinyserve.report.html.arena_labels import clear_span, short_name
from tinyserve.report.html.picture import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = {
    "input": "#2a9d76", "activation": "#6f9bf0", "output": "#e39a57", "scratch": "#aab2bb",
    "state": "#b48be0", "rows": "#8fd0c0",
}  # fmt: skip
_POINTS_PER_INCH = 72
_GLYPH_ASPECT = 0.58  # width of a character by its height
_NAME_POINTS = 7.0  # of layers, below
_LABEL_POINTS = (8.0, 6.5, 5.0)  # what is tried, largest first


def draw(
    blocks: Sequence[ArenaBlock], layers: Sequence[str], arena_bytes: int, path: Path, title: str
) -> None:
    """Draws the memory plan to ``path``. Raises as ``picture`` does."""
    width = min(max(8.0, 0.42 * len(layers) + 2.5), 26.0)
    with picture(path, width, 6.5) as figure:
        axes = figure.add_subplot()
        _draw_blocks(axes, blocks)
        _draw_axes(axes, layers, arena_bytes)
        axes.set_title(title)
        figure.draw_without_rendering()
        _label_blocks(axes, blocks)


def _draw_blocks(axes: Axes, blocks: Sequence[ArenaBlock]) -> None:
    from matplotlib.patches import Patch, Rectangle

    for block in blocks:
        axes.add_patch(
            Rectangle(
                (block.first, block.offset), block.last - block.first + 1, block.bytes,
                facecolor=_COLORS[block.kind], edgecolor="#1b1f24", linewidth=0.6, alpha=0.75,
            )
        )  # fmt: skip
    kinds = [kind for kind in _COLORS if any(block.kind == kind for block in blocks)]
    handles = [Patch(facecolor=_COLORS[kind], label=kind) for kind in kinds]
    axes.legend(handles=handles, loc="upper right", ncols=len(kinds), frameon=False)


def _draw_axes(axes: Axes, layers: Sequence[str], arena_bytes: int) -> None:
    axes.set_xlim(-1, len(layers) + 1)
    axes.set_ylim(0, arena_bytes * 1.12)
    axes.axhline(arena_bytes, color="#c62f3b", linewidth=1, linestyle="--")
    axes.annotate(
        f"{arena_bytes:,} bytes",
        (-1, arena_bytes),
        xytext=(4, 4),
        textcoords="offset points",
        color="#c62f3b",
    )
    names = named_columns(layers, axes.get_window_extent().width / axes.figure.dpi * _POINTS_PER_INCH)
    axes.set_xticks(
        [index + 0.5 for index, _ in names],
        [name if len(name) < 24 else name[:22] + "…" for _, name in names],
        fontsize=_NAME_POINTS,
    )
    axes.tick_params(axis="x", rotation=60, length=0)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("offset in the arena, bytes")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def named_columns(layers: Sequence[str], points: float) -> list[tuple[int, str]]:
    """The columns whose names stand below a picture of this width, with the names: all, or of too many every
    so many-th, with its number."""
    step = math.ceil((len(layers) + 2) * _NAME_POINTS * 1.9 / points)
    if step <= 1:
        return [(-1, "(before)"), *enumerate(layers), (len(layers), "(after)")]
    return [(index, f"{index}  {layers[index]}") for index in range(0, len(layers), step)]


def _label_blocks(axes: Axes, blocks: Sequence[ArenaBlock]) -> None:
    """Names where they fit, in the column of the layer that makes the buffer: lying, else standing."""
    box = axes.get_window_extent()
    per_layer = box.width / (axes.get_xlim()[1] - axes.get_xlim()[0])
    per_byte = box.height / (axes.get_ylim()[1] - axes.get_ylim()[0])
    scale = _POINTS_PER_INCH / axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    for block in blocks:
        low, high = clear_span(block, blocks)
        column, height = per_layer * scale, (high - low) * per_byte * scale
        tried = product(_LABEL_POINTS, ((column, height, 0), (height, column, 90)))
        for points, (along, across, turn) in tried:
            name = _fit(block.name, int(along * 0.95 / (points * _GLYPH_ASPECT)))
            if name and points <= across * 0.8:
                axes.text(
                    block.first + 0.5, (low + high) / 2, name, fontsize=points,
                    ha="center", va="center", rotation=turn, clip_on=True,
                )  # fmt: skip
                break


def _fit(name: str, characters: int) -> str:
    """The whole name, else its last part, else nothing: half a name tells nothing."""
    return next((choice for choice in (name, short_name(name)) if len(choice) <= characters), "")
