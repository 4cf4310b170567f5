# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/layers.svg: our instructions over another engine's, a point per layer.

python docs/draw_layers.py --peer FILE [--measured build/bench-layers.json]

The peer's file is that of benchmarks/layers.py, which writes what was measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from layers import Peer, read_peer  # noqa: E402

from docs.draw_performance import BLUE, GREY, INK, ORANGE, rect, save, text  # noqa: E402

CORES = {"cortex-m4": "Cortex-M4", "cortex-m55": "Cortex-M55", "cortex-m0": "Cortex-M0"}
COLOURS = {"zig": BLUE, "gcc": ORANGE}
RATIOS = (0.01, 2.0)
PRODUCTS = (100.0, 1e6)
WIDTH, HEIGHT, LEFT, TOP, GAP = 240.0, 260.0, 52.0, 74.0, 22.0
STRIP = 26.0  # of each panel: layers without products


@dataclass(frozen=True)
class Panel:
    """Where a core's points lie."""

    left: float

    def x(self, products: int) -> float:
        if products == 0:
            return self.left + STRIP / 2
        return self.left + STRIP + (WIDTH - STRIP) * share(products, PRODUCTS)

    @staticmethod
    def y(ratio: float) -> float:
        return TOP + HEIGHT * (1 - share(ratio, RATIOS))


def share(value: float, limits: tuple[float, float]) -> float:
    """Where a value lies between limits, by logarithms; those beyond lie at the limits."""
    low, high = map(math.log, limits)
    return min(1.0, max(0.0, (math.log(value) - low) / (high - low)))


def picture(measured: list[dict[str, Any]], peer: Peer) -> Iterator[str]:
    yield text(20, 26, "Instructions of single layers over those of TFLM + CMSIS-NN", 15)
    for number, (compiler, colour) in enumerate(COLOURS.items()):
        yield point(28 + 90 * number, 46, colour)
        yield text(38 + 90 * number, 50, compiler, 12)
    for number, (core, label) in enumerate(CORES.items()):
        panel = Panel(LEFT + number * (WIDTH + GAP))
        yield from frame(panel, label, numbers=number == 0)
        for one in measured:
            theirs = peer.instructions.get((one["layer"], core))
            if one["core"] == core and theirs and one["instructions"]:
                ratio = one["instructions"] / theirs
                yield point(panel.x(one["macs"]), panel.y(ratio), COLOURS[one["compiler"]])


def point(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}" fill-opacity="0.55"/>'


def frame(panel: Panel, label: str, *, numbers: bool) -> Iterator[str]:
    yield rect(panel.left, TOP, WIDTH, HEIGHT, "#f7f8fa")
    yield text(panel.left + WIDTH / 2, TOP - 8, label, 13, "middle")
    for ratio in (0.01, 0.03, 0.1, 0.3, 1.0):
        y, dash = panel.y(ratio), "" if ratio == 1.0 else ' stroke-dasharray="2 4"'
        colour = INK if ratio == 1.0 else GREY
        yield f'<path d="M{panel.left:g} {y:.1f} h{WIDTH:g}" stroke="{colour}"{dash}/>'
        if numbers:
            yield text(panel.left - 6, y + 4, f"{ratio:g}", 11, "end")
    yield text(panel.left + 2, TOP + HEIGHT + 16, "none", 11)
    for products, name in ((1_000, "1 k"), (10_000, "10 k"), (100_000, "100 k"), (1_000_000, "1 M")):
        anchor = "end" if products == 1_000_000 else "middle"
        yield text(panel.x(products), TOP + HEIGHT + 16, name, 11, anchor)
    yield text(panel.left + WIDTH / 2, TOP + HEIGHT + 34, "multiply-accumulates", 11, "middle")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    peer = os.environ.get("TINYSERVE_SWEEP_PEER")
    parser.add_argument("--peer", type=Path, default=peer and Path(peer), metavar="FILE")
    parser.add_argument("--measured", type=Path, default=ROOT / "build" / "bench-layers.json", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.peer is None or not arguments.measured.is_file():
        print(
            "error: no counts to draw\n  try: make bench-layers, then --peer FILE (or TINYSERVE_SWEEP_PEER)",
            file=sys.stderr,
        )
        return 2
    measured = json.loads(arguments.measured.read_text(encoding="utf-8"))
    save(
        "layers.svg",
        860,
        390,
        "Single layers beside TFLM with CMSIS-NN",
        picture(measured, read_peer(arguments.peer)),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
