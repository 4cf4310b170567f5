# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of performance.md into docs/images, from the checked-in figures.

python docs/draw_performance.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
BENCHMARKS = ROOT / "benchmarks"
MODELS = {"ad01_int8": "ad", "kws_ref_model": "kws", "pretrainedResnet_quant": "resnet", "vww_96_int8": "vww"}
CORES = {"cortex-m0": "Cortex-M0", "cortex-m4": "Cortex-M4", "cortex-m55": "Cortex-M55"}
BLUE, GREEN, ORANGE, GREY, INK = "#3a6fd8", "#2f9e5b", "#d9822b", "#c9ced6", "#223"


def rect(x: float, y: float, width: float, height: float, fill: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" fill="{fill}" '
        f'stroke="{INK}" stroke-width="0.8"{dash}/>'
    )


def text(
    x: float, y: float, content: str, size: float = 13, anchor: str = "start", *, fill: str = INK
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" fill="{fill}">'
        f"{escape(content)}</text>"
    )


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" stroke="{INK}" marker-end="url(#tip)" fill="none"/>'


def save(name: str, width: int, height: int, title: str, parts: Iterator[str]) -> None:
    """Writes one picture."""
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    )
    body = "\n".join(parts)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif">\n<title>{escape(title)}</title>\n{tip}\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff" rx="8"/>\n{body}\n</svg>\n'
    )
    (IMAGES / name).write_text(svg, encoding="utf-8")


def speed(measured: list[dict[str, Any]], peers: dict[str, Any]) -> Iterator[str]:
    """How many times the instructions of TFLM with CMSIS-NN are ours."""
    theirs = peers["engines"][0]["instructions"]
    ours = {
        (one["model"], one["core"]): one["instructions"] for one in measured if one["optimize"] == "balanced"
    }
    colours = dict(zip(CORES, (ORANGE, BLUE, GREEN), strict=True))
    yield text(20, 26, "Instructions of TFLM + CMSIS-NN, as a multiple of tinyserve's", 15)
    for number, (core, label) in enumerate(CORES.items()):
        yield rect(20 + 130 * number, 38, 12, 12, colours[core])
        yield text(38 + 130 * number, 49, label, 12)
    y = 66.0
    for model, label in MODELS.items():
        yield text(62, y + 32, label, 13, "end")
        for core in CORES:
            ratio = theirs[model][core] / ours[model, core]
            yield rect(72, y, 100 * ratio, 14, colours[core])
            yield text(78 + 100 * ratio, y + 12, f"{ratio:.2f}x", 12)
            y += 17
        y += 10
    yield f'<path d="M172 60 V{y - 6:g}" stroke="{INK}" stroke-dasharray="3 3"/>'
    yield text(172, y + 8, "1x: the same", 11, "middle")


def packing() -> Iterator[str]:
    """Two weights in one half-word."""
    yield text(20, 26, "Two weights per half-word: one byte of flash per weight, no widening of weights", 15)
    for number, (label, fill) in enumerate(
        [("wB, tap 1", BLUE), ("wA, tap 1", GREEN), ("wB, tap 0", BLUE), ("wA, tap 0", GREEN)]
    ):
        yield rect(40 + 110 * number, 46, 110, 30, fill)
        yield text(95 + 110 * number, 66, label, 13, "middle", fill="#fff")
    yield text(500, 66, "one 32-bit word: h = 256 wB + wA, twice")
    yield arrow(150, 80, 150, 106)
    yield arrow(370, 80, 370, 106)
    yield rect(40, 110, 220, 34, "#eef3fd")
    yield text(150, 132, "SMLAD on the word: R += x·h", 13, "middle")
    yield rect(290, 110, 190, 34, "#eaf7ef")
    yield text(385, 132, "SXTB16, SMLAD: A += x·wA", 13, "middle")
    yield text(500, 132, "x: two taps of one pixel, as int16")
    yield arrow(150, 148, 230, 174)
    yield arrow(385, 148, 300, 174)
    yield rect(160, 178, 210, 34, "#fff4e5")
    yield text(265, 200, "B = (R − A) / 256, exactly", 13, "middle")
    yield text(390, 200, "once per output, since R = 256 B + A")


def blocking() -> Iterator[str]:
    """Loads per product by the shape of the block."""
    yield text(20, 26, "Register blocks: what is loaded once serves a whole row or column of products", 15)
    blocks = [
        ("Cortex-M4", 4, 2, "int16 pairs, SMLAD"),
        ("Cortex-M0, M3", 5, 1, "words, MULS"),
        ("Cortex-M55", 3, 2, "16 lanes, VMLADAVA"),
    ]
    x = 40.0
    for label, pixels, channels, how in blocks:
        yield text(x, 56, f"{label}: {pixels} pixels × {channels} channel{'s' * (channels > 1)}", 13)
        yield text(x, 73, how, 12, fill="#556")
        for channel in range(channels):
            yield rect(x + 46 + 48 * channel, 84, 40, 20, BLUE)
            yield text(x + 66 + 48 * channel, 98, f"w{'AB'[channel]}", 12, "middle", fill="#fff")
        for pixel in range(pixels):
            yield rect(x, 110 + 26 * pixel, 38, 20, GREEN)
            yield text(x + 19, 124 + 26 * pixel, f"x{pixel}", 12, "middle", fill="#fff")
            for channel in range(channels):
                yield rect(x + 46 + 48 * channel, 110 + 26 * pixel, 40, 20, "#fff4e5")
                yield text(x + 66 + 48 * channel, 124 + 26 * pixel, f"Σ{'AB'[channel]}{pixel}", 12, "middle")
        x += 250


def overlap() -> Iterator[str]:
    """A convolution that writes behind its own reads."""
    yield text(
        20, 26, "One buffer for input and output: the output starts a little below and never catches up", 15
    )
    yield text(20, 62, "arena", 13)
    yield rect(80, 46, 70, 26, BLUE)
    yield rect(150, 46, 250, 26, "#dbe5fa")
    yield rect(400, 46, 120, 26, GREEN)
    yield rect(520, 46, 180, 26, GREY, dashed=True)
    yield text(275, 63, "output, written in ascending order", 12, "middle")
    yield text(460, 63, "rows read now", 12, "middle", fill="#fff")
    yield text(610, 63, "input, still needed", 12, "middle")
    yield text(115, 63, "lead", 12, "middle", fill="#fff")
    yield arrow(330, 94, 398, 94)
    yield text(80, 98, "the gap is never less than zero:", 12)
    yield text(
        80,
        124,
        "lead = the most that any output byte is written ahead of the first input byte needed later,",
        12,
    )
    yield text(
        80,
        142,
        "counted pixel by pixel at compile time. A chain of layers adds up its leads; a copy parts the sum.",
        12,
    )


def main() -> None:
    measured = json.loads((BENCHMARKS / "baseline.json").read_text(encoding="utf-8"))
    peers = json.loads((BENCHMARKS / "peers.json").read_text(encoding="utf-8"))
    IMAGES.mkdir(parents=True, exist_ok=True)
    save("speed.svg", 700, 330, "Speed against TFLM with CMSIS-NN", speed(measured, peers))
    save("packing.svg", 800, 230, "Two weights per half-word", packing())
    save("blocking.svg", 800, 260, "Register blocks of the three kernels", blocking())
    save("overlap.svg", 800, 160, "Input and output in one place", overlap())


if __name__ == "__main__":
    main()
