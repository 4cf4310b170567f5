# SPDX-License-Identifier: Apache-2.0
"""A cascade on a stream of sound: a wake stage of energies, a verifier of MFCC, a decision, a gateway."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.features.specs import spec
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.convert.tflite.attach import attached

HOP = 160
FEATURES = """
[input]
shape = [160]
type = "int16"
rate_hz = 8000
stream = true

[[steps]]
kind = "scale"
factor = [0.000030517578125]

[[steps]]
kind = "window"
length = 256
hop = 160

[[steps]]
kind = "{kind}"
{fields}
"""
WAKE = FEATURES.format(kind="statistics", fields='of = ["rms", "max", "zero_crossings"]')
MFCC = 'coefficients = 8\nbands = 16\n\n[[steps]]\nkind = "stack"\nrows = 4'
VERIFY = FEATURES.format(kind="mfcc", fields=MFCC)
CASCADE = """
[[nodes]]
name = "wake"
model = "wake.tflite"

[[nodes]]
name = "verify"
model = "verify.tflite"
when = "wake[1] > 0.5"

[[nodes]]
name = "large"
model = "verify.tflite"
where = "gateway"
when = "margin(verify) < 0.4"

[[nodes]]
name = "heard"
kind = "decision"
input = "verify"
enter = 0.6
smoothing = 2
hold = 2

[outputs]
scores = ["verify", "wake"]
"""


def network(seed: int, shape: tuple[int, ...], classes: int = 3) -> bytes:
    """int8 behind floats: what convert makes of a network behind features."""
    rng = np.random.default_rng(seed)
    wide = int(np.prod(shape))
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, *shape), "float32", name="x")
    flat = graph.tensor((1, wide), "float32", name="flat")
    graph.op("RESHAPE", [x, graph.constant(np.array([1, wide], np.int32))], [flat])
    q = graph.tensor((1, wide), "int8", 0.05, 0, name="q")
    graph.op("QUANTIZE", [flat], [q])
    y = graph.tensor((1, classes), "int8", 0.1, 0, name="y")
    weights = graph.constant(rng.integers(-127, 128, (classes, wide)).astype(np.int8), scale=0.01)
    bias = graph.constant(rng.integers(-400, 400, classes).astype(np.int32), scale=0.0005)
    graph.op("FULLY_CONNECTED", [q, weights, bias], [y])
    p = graph.tensor((1, classes), "int8", 1 / 256, -128, name="p")
    graph.op("SOFTMAX", [y], [p], beta=1.0)
    graph.output(p)
    return model.build()


def write_models(directory: Path) -> None:
    """wake.tflite and verify.tflite, and pipeline.toml beside them."""
    (directory / "wake.tflite").write_bytes(attached(spec(WAKE), network(3, (1, 3))))
    (directory / "verify.tflite").write_bytes(attached(spec(VERIFY), network(8, (4, 8))))
    (directory / "pipeline.toml").write_text(CASCADE)


def sound(hops: int) -> npt.NDArray[np.int16]:
    """Tones and noise that come and go: (hops, 1, 160)."""
    rng = np.random.default_rng(11)
    t = np.arange(hops * HOP) / 8000
    loud = np.repeat(rng.integers(0, 4, hops // 5 + 1), 5 * HOP)[: hops * HOP]
    pitch = np.repeat(rng.integers(200, 3000, hops // 5 + 1), 5 * HOP)[: hops * HOP]
    wave = loud * (np.sin(2 * np.pi * pitch * t) + rng.normal(size=len(t)) / 3) * 3000
    return np.clip(wave, -32768, 32767).astype(np.int16).reshape(hops, 1, HOP)
