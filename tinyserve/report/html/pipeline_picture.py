# SPDX-License-Identifier: Apache-2.0
"""A pipeline as a picture file: nodes from left to right, what feeds them, and on what condition they run."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinyserve.pipeline import condition
from tinyserve.pipeline.make import Description, Stage
from tinyserve.pipeline.places import node_of
from tinyserve.report.html.picture import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = {
    "model": "#6f9bf0", "average": "#b48be0", "vote": "#b48be0", "decision": "#e39a57", "guard": "#5fb3a1",
    "top": "#5fb3a1", "anomaly": "#5fb3a1",
}  # fmt: skip
_INPUT, _GATEWAY, _INK = "#2a9d76", "#aab2bb", "#1b1f24"
_WIDE, _HIGH, _ACROSS, _DOWN = 1.5, 0.62, 2.5, 1.35  # of a box, and from one to the next
_CHARACTERS = 30


@dataclass(frozen=True)
class _Box:
    column: int
    row: int
    text: str
    color: str
    dashed: bool = False


def draw(description: Description, path: Path, title: str) -> None:
    """Draws the nodes to ``path``. Raises as ``picture`` does."""
    boxes, edges = laid_out(description)
    columns = 1 + max(box.column for box in boxes.values())
    rows = 1 + max(box.row for box in boxes.values())
    with picture(path, 0.6 + _ACROSS * columns, 1.6 + _DOWN * rows) as figure:
        axes = figure.add_subplot()
        for source, target, is_condition in edges:
            _arrow(axes, boxes[source], boxes[target], is_condition)
        for box in boxes.values():
            _draw_box(axes, box)
        for stage in description.nodes:
            _draw_condition(axes, boxes[stage.name], stage.when)
        axes.set_xlim(-0.2, _ACROSS * columns)
        axes.set_ylim(-_DOWN * (rows - 1) - 0.9, 1.1)
        axes.set_axis_off()
        axes.set_title(title, parse_math=False)


def laid_out(description: Description) -> tuple[dict[str, _Box], list[tuple[str, str, bool]]]:
    """Boxes by name, inputs and outputs among them, and arrows: from, to, and whether it is a condition's."""
    stages = {stage.name: stage for stage in description.nodes}
    edges = _edges(stages)
    columns = dict.fromkeys((source for source, _, _ in edges if source not in stages), 0)
    for _ in stages:  # as often as the longest way is long
        for name in stages:
            before = [columns.get(source, 0) for source, target, _ in edges if target == name]
            columns[name] = 1 + max(before, default=0)
    last = 1 + max(columns.values())
    boxes: dict[str, _Box] = {}
    filled: dict[int, int] = {}
    for name, column in columns.items():
        row = filled.setdefault(column, 0)
        filled[column] += 1
        boxes[name] = _box(stages.get(name), name, column, row)
    for number, (name, places) in enumerate(description.outputs.items()):
        key = f"output {name}"
        boxes[key] = _Box(last, number, f"{name}\n(output)", _INPUT)
        edges += [(node_of(place), key, False) for place in places if node_of(place) in boxes]
    return boxes, edges


def _edges(stages: dict[str, Stage]) -> list[tuple[str, str, bool]]:
    found = []
    for stage in stages.values():
        fed = list(dict.fromkeys(node_of(place) for place in stage.takes))
        found += [(name, stage.name, False) for name in fed]
        if stage.when:
            asked = dict.fromkeys(condition.nodes_of(condition.parse(stage.when, stage.name)))
            found += [(name, stage.name, True) for name in asked if name not in fed and name in stages]
    return found


def _box(stage: Stage | None, name: str, column: int, row: int) -> _Box:
    if stage is None:
        return _Box(column, row, f"{name}\n(input)", _INPUT)
    if stage.where == "gateway":
        return _Box(column, row, f"{name}\non the gateway", _GATEWAY, dashed=True)
    about = f"{stage.macs:,} MACs" if stage.macs else stage.kind
    return _Box(column, row, f"{name}\n{about}", _COLORS.get(stage.kind, _INPUT))


def _draw_box(axes: Axes, box: _Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = _ACROSS * box.column, -_DOWN * box.row
    axes.add_patch(
        FancyBboxPatch(
            (x, y - _HIGH / 2), _WIDE, _HIGH, boxstyle="round,pad=0.02,rounding_size=0.08",
            facecolor=box.color, edgecolor=_INK, linewidth=0.8, linestyle="--" if box.dashed else "-",
        )
    )  # fmt: skip
    axes.text(x + _WIDE / 2, y, box.text, ha="center", va="center", fontsize=8, parse_math=False)


def _draw_condition(axes: Axes, box: _Box, when: str) -> None:
    if when:
        said = "\n".join(textwrap.wrap(f"when {when}", _CHARACTERS)[:3])
        place = (_ACROSS * box.column + _WIDE / 2, -_DOWN * box.row - _HIGH / 2 - 0.06)
        axes.text(*place, said, ha="center", va="top", fontsize=6.5, style="italic", parse_math=False)


def _arrow(axes: Axes, source: _Box, target: _Box, is_condition: bool) -> None:
    """Straight to the next column; over the tops of what stands between, where that is further."""
    start = (_ACROSS * source.column + _WIDE + 0.03, -_DOWN * source.row)
    end = (_ACROSS * target.column - 0.03, -_DOWN * target.row)
    style = {"arrowstyle": "-|>", "color": _INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    span = target.column - source.column
    if span > 1:
        start = (_ACROSS * source.column + _WIDE * 0.75, -_DOWN * source.row + _HIGH / 2 + 0.03)
        end = (_ACROSS * target.column + _WIDE * 0.25, -_DOWN * target.row + _HIGH / 2 + 0.03)
        style["connectionstyle"] = f"arc3,rad={-0.45 / span:.3f}"
    style["linestyle"] = ":" if is_condition else "-"
    axes.annotate("", end, xytext=start, arrowprops=style)
