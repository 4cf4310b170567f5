# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/sensor-to-event.svg: sound, windows, spectra, cepstra, scores and events of the cascade.

python examples/cascade/train.py --out build/cascade    (and the bundles, as its README says)
python docs/draw_cascade.py build/cascade
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.features import spec
from tinyserve.features.run import FeatureRunner
from tinyserve.pipeline import compose
from tinyserve.pipeline import spec as pipelines

mpl.use("agg")
from matplotlib import pyplot as plt

LAST = 220  # hops of 20 ms
OUT = Path(__file__).parent / "images" / "sensor-to-event.svg"
LABELS = ("nothing", "up", "down")


def draw(directory: Path) -> None:
    mpl.rcParams |= {"svg.hashsalt": "tinyserve", "svg.fonttype": "none"}  # the same data is the same file
    hops = np.load(directory / "test.npz")["x"][:LAST]
    composed = compose.compose(pipelines.load(directory / "pipeline.toml"), directory)
    outputs, events = HostModel(compile_model(composed.data)).events([hops[:, None]])
    given = dict(zip(composed.output_names, outputs, strict=True))
    cepstra = FeatureRunner(spec.load(directory / "verify.toml")).run(hops)[:, -1]
    t = np.arange(hops.size) / 16_000
    figure, axes = plt.subplots(5, 1, figsize=(9, 9), layout="constrained")
    axes[0].plot(t[::8], hops.reshape(-1)[::8] / 32768, linewidth=0.4, rasterized=True)
    axes[0].set_title("what the microphone gives: 320 samples per inference")
    _windows(axes[1], hops.reshape(-1))
    _spectra(axes[2], hops.reshape(-1))
    axes[3].imshow(cepstra.T, aspect="auto", origin="lower", extent=(0, t[-1], 0, 10), cmap="viridis")
    axes[3].set_title("its cepstrum: 10 coefficients per window; the verifier takes the newest 20")
    _scores(axes[4], given, events)
    for axis in (axes[0], axes[3], axes[4]):
        axis.set_xlim(0, t[-1])
    figure.savefig(OUT, dpi=70, metadata={"Date": None})
    print(OUT)


def _windows(axes: plt.Axes, samples: np.ndarray) -> None:
    start = int(np.argmax(np.abs(samples))) // 320 * 320
    t = (np.arange(1600) + start) / 16
    axes.plot(t, samples[start : start + 1600] / 32768, linewidth=0.7)
    for number in range(4):
        low = (start + 320 * number) / 16
        bottom = 0.04 + 0.06 * number
        axes.axvspan(low, low + 40, ymin=bottom, ymax=bottom + 0.04, color=f"C{number + 1}")
    axes.set_title("100 ms of it (ms): windows of 40 ms, a new one every 20 ms")


def _spectra(axes: plt.Axes, samples: np.ndarray) -> None:
    frames = np.lib.stride_tricks.sliding_window_view(samples / 32768, 640)[::320]
    power = np.abs(np.fft.rfft(frames * np.hanning(641)[:-1], 1024)) ** 2
    levels = 10 * np.log10(np.maximum(power.T[:256], 1e-6))
    axes.imshow(levels, aspect="auto", origin="lower", extent=(0, len(samples) / 16_000, 0, 4), cmap="magma")
    axes.set_title("the spectrum of each window (kHz)")


def _scores(axes: plt.Axes, given: dict[str, np.ndarray], events: list) -> None:
    scores = (given["scores"][:, 0].astype(float) + 128) / 256
    t = (np.arange(len(scores)) + 1) / 50
    ran = given["ran"][:, 0, 1].astype(bool)
    axes.fill_between(t, 0, ran, step="pre", color="#d9d9d9", label="the verifier runs")
    for number in (1, 2):
        axes.plot(t, np.where(ran, scores[:, number], np.nan), label=LABELS[number])
    for event in events:
        axes.axvline(event.sample / 16_000, color="#c62f3b", linestyle="--")
        axes.annotate(LABELS[event.class_number], (event.sample / 16_000 + 0.02, 1.06), fontsize=8)
    axes.legend(loc="upper left", ncols=3, frameon=False, fontsize=8)
    axes.set_ylim(0, 1.25)
    axes.set_title("scores (s), where the wake stage let the verifier run; dashed: events")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
