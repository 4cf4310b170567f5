# SPDX-License-Identifier: Apache-2.0
"""Pictures of the HTML report, as SVG text. Colours are CSS classes, so that dark mode works inside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinyserve.bench.result import ArenaBlock, EnergyTrace
from tinyserve.escapes import html
from tinyserve.report import figures
from tinyserve.report.html.arena_labels import clear_span, clear_steps, short_name

WIDTH = 420  # a phone's width: text keeps its size there, and scales up on a desk
_LEFT = 52
_RIGHT = 8
_GLYPH = 6.2  # average width of a character at the labels' size
_LINE = 13  # its height, with room
_NAMES_BELOW = 76
_LONGEST_BELOW = 14
_MOST_NAMES = 24


def histogram(values: Sequence[float], unit: str, bins: int = 24) -> str:
    """How often each latency was measured; marks the median, p90 and p99 that the caller's table names."""
    height, bottom, top = 180, 34, 10
    low, high = min(values), max(values)
    bins = 1 if low == high else min(bins, max(4, math.isqrt(len(values)) * 2))
    counts = [0] * bins
    for value in values:
        place = 0 if high == low else int((value - low) / (high - low) * bins)
        counts[min(place, bins - 1)] += 1
    plot_width, plot_height = WIDTH - _LEFT - _RIGHT, height - bottom - top
    tallest = max(counts)
    parts = [_grid(0, tallest, top, plot_height, whole=True)]
    step = plot_width / bins
    for index, count in enumerate(counts):
        bar = plot_height * count / tallest
        start = low + (high - low) * index / bins
        end = low + (high - low) * (index + 1) / bins
        label = f"{figures.spread(start, end)} {figures.unit(unit)}: {count}"
        x = _LEFT + index * step + (0 if bins > 1 else plot_width * 0.4)
        width = step - 1 if bins > 1 else plot_width * 0.2
        parts.append(_rect(x, top + plot_height - bar, width, bar, "count", label))
    ends = [(low, float(_LEFT), "start"), (high, WIDTH - _RIGHT, "end")]
    if low == high:
        ends = [(low, _LEFT + plot_width / 2, "middle")]
    parts += [_text(x, height - 18, figures.number(value), anchor) for value, x, anchor in ends]
    parts.append(_text(_LEFT + plot_width / 2, height - 4, figures.unit(unit), "middle", "dim"))
    return _svg(height, f"Distribution of {len(values)} latencies", parts)


def overlaid(reference: Sequence[int], seen: Sequence[int], places: Sequence[str]) -> str:
    """Two histograms over each other, in shares of their sums: the reference in wide bars, what was seen in
    narrow ones before them. ``places`` says what each bar is of."""
    height, bottom, top = 180, 34, 10
    shares = [[100 * count / (sum(counts) or 1) for count in counts] for counts in (reference, seen)]
    plot_width, plot_height = WIDTH - _LEFT - _RIGHT, height - bottom - top
    highest = max(1.0, *shares[0], *shares[1])
    step = plot_width / max(1, len(places))
    parts = [_grid(0, highest, top, plot_height)]
    for index, place in enumerate(places):
        for share, width, css, of in (
            (shares[0][index], 0.92, "c1", "reference"), (shares[1][index], 0.46, "c2", "devices"),
        ):  # fmt: skip
            tall = plot_height * share / highest
            x = _LEFT + (index + (1 - width) / 2) * step
            parts.append(
                _rect(x, top + plot_height - tall, width * step, tall, css, f"{place}: {share:.1f} % ({of})")
            )
    parts.append(_text(_LEFT, height - 18, places[0] if places else "", "start"))
    if len(places) > 1:
        parts.append(_text(WIDTH - _RIGHT, height - 18, places[-1], "end"))
    parts.append(_text(_LEFT + plot_width / 2, height - 4, "%", "middle", "dim"))
    return _svg(height, "Reference and devices", parts)


_KIND_CLASS = {
    "input": "c2", "output": "c3", "activation": "c1", "scratch": "c4", "state": "c5", "rows": "c1",
}  # fmt: skip


def arena(blocks: Sequence[ArenaBlock], layers: Sequence[str] = ()) -> str:
    """The arena over time: layers from left to right, bytes from the bottom up, one box per buffer.

    ``layers`` are their names, which stand below: all, or every so many-th.
    """
    first = min(block.first for block in blocks)
    steps = max(block.last for block in blocks) - first + 1
    names = _names_below(layers, first, steps)
    bottom, top = (34 + _NAMES_BELOW if names else 34), 10
    height = 266 + bottom
    total = max(block.offset + block.bytes for block in blocks)
    plot_width, plot_height = WIDTH - _LEFT - _RIGHT, height - bottom - top
    step = plot_width / steps
    parts = [_grid(0, total, top, plot_height)]
    labels = []  # above all boxes
    for block in blocks:
        x = _LEFT + (block.first - first) * step
        tall = block.bytes * plot_height / total
        y = top + plot_height - (block.offset + block.bytes) * plot_height / total
        label = (
            f"{block.name}: {block.bytes:,} bytes at {block.offset:,}, "
            f"layers {block.first}–{block.last} ({block.kind})"
        )
        width = (block.last - block.first + 1) * step
        parts.append(_rect(x, y, width - 0.6, max(tall - 0.6, 0.4), _KIND_CLASS[block.kind], label))
        low, high = clear_span(block, blocks)
        middle = top + plot_height - (low + high) / 2 * plot_height / total
        clear = (high - low) * plot_height / total
        labels.append(_name(block.name, x, middle, step, clear_steps(block, blocks) * step, clear))
    parts += labels
    for place, name in names:
        parts.append(
            _text(_LEFT + (place + 0.5) * step + 3, height - bottom + 6, name, "end", "below", upright=True)
        )
    if not names:
        parts.append(_text(_LEFT, height - 18, "first", "start"))
        parts.append(_text(WIDTH - _RIGHT, height - 18, "last", "end"))
    parts.append(
        _text(_LEFT + plot_width / 2, height - 4, "layers in order; upwards: bytes", "middle", "dim")
    )
    return _svg(height, f"Arena over time: {total:,} bytes", parts)


def _names_below(layers: Sequence[str], first: int, steps: int) -> list[tuple[int, str]]:
    """Names of layers by the step at which they run; where they are more than have room every so many-th,
    with its number."""
    every = -(-len(layers) // _MOST_NAMES)
    named = [(index, f"{index} {name}" if every > 1 else name) for index, name in enumerate(layers)]
    return [
        (index - first, name if len(name) <= _LONGEST_BELOW else f"{name[: _LONGEST_BELOW - 1]}…")
        for index, name in named[:: max(1, every)]
        if 0 <= index - first < steps
    ]


def energy_trace(trace: EnergyTrace) -> str:
    """Current over time, with the windows of inference shaded."""
    height, bottom, top = 200, 34, 10
    plot_width, plot_height = WIDTH - _LEFT - _RIGHT, height - bottom - top
    start, end = trace.time_us[0], trace.time_us[-1]
    peak = max(trace.current_ua) or 1.0
    span = (end - start) or 1.0

    def across(time_us: float) -> float:
        return _LEFT + (time_us - start) / span * plot_width

    parts = [
        _rect(across(first), top, max(across(last) - across(first), 0.5), plot_height, "window", "inference")
        for first, last in trace.windows
    ]
    parts.append(_grid(0, peak / 1000, top, plot_height))
    points = " ".join(
        f"{across(time):.1f},{top + plot_height - current / peak * plot_height:.1f}"
        for time, current in zip(trace.time_us, trace.current_ua, strict=True)
    )
    parts.append(f'<polyline class="curve" points="{points}"/>')
    parts.append(_text(_LEFT, height - 18, f"{start / 1000:.4g}", "start"))
    parts.append(_text(WIDTH - _RIGHT, height - 18, f"{end / 1000:.4g}", "end"))
    parts.append(_text(_LEFT + plot_width / 2, height - 4, "ms (current in mA)", "middle", "dim"))
    return _svg(height, "Current over time", parts)


def _grid(low: float, high: float, top: float, plot_height: float, whole: bool = False) -> str:
    """Horizontal lines at round values."""
    step = _round_step((high - low) / 4)
    if whole:
        step = max(1.0, math.ceil(step))
    parts = []
    value = math.ceil(low / step) * step
    while value <= high * 1.0001:
        y = top + plot_height * (1 - (value - low) / (high - low))
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 6, y + 4, figures.number(value), "end"))
        value += step
    return "".join(parts)


def _round_step(step: float) -> float:
    """The next larger of 1, 2, 5 × a power of ten."""
    if step <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.9999)


def _name(name: str, x: float, y: float, step: float, width: float, tall: float) -> str:  # noqa: PLR0917
    """The name in a space of a buffer's box where it fits: lying, else standing. ``y`` is the space's middle;
    in a flat box it may be ``width`` wide, else only the ``step`` of the layer that makes the buffer."""
    room = width if tall < 2 * _LINE else step
    for choice in dict.fromkeys((name, short_name(name))):
        length = (len(choice) + 1) * _GLYPH
        if tall >= _LINE and length <= room:
            return _text(x + room / 2, y + 4, choice, "middle", "inside")
        if step >= _LINE and length <= tall:
            return _text(x + step / 2 + 4, y, choice, "middle", "inside", upright=True)
    return ""


def _rect(  # noqa: PLR0917 - a rectangle has that many
    x: float, y: float, width: float, height: float, css: str, label: str
) -> str:
    return (
        f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
        f"<title>{html(label)}</title></rect>"
    )


def _text(  # noqa: PLR0917 - a text has that many
    x: float, y: float, content: str, anchor: str, css: str = "", upright: bool = False
) -> str:
    kind = f' class="{css}"' if css else ""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upright else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{html(content)}</text>'


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html(title)}">{"".join(parts)}</svg>'
