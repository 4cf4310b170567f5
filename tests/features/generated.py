# SPDX-License-Identifier: Apache-2.0
"""Random specifications: any steps, in any order, that fit one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from tests.compiler.ops.generate import Random
from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.compiler.ops.features.statistics import KINDS as STATISTICS
from tinyserve.errors import DataError
from tinyserve.features import graph
from tinyserve.features.columns import TIMES
from tinyserve.features.model import written
from tinyserve.features.spec import KINDS, Concat, Input, Spec, Step, name_of

_MOST_VALUES = 20_000
"""That a step may give: an emulated core has to compute them."""
_TRIES = 40
_OF_SIGNALS = (
    "window",
    "window",
    "spectrum",
    "mel",
    "mfcc",
    "decimate",
    "stack",
    "iir",
    "statistics",
    "micro_frontend",
)
_AFTER = {
    "window": ("spectrum", "mfcc", "micro_frontend", "statistics"), "spectrum": ("mel", "log", "dct"),
    "statistics": ("scale", "stack", "log", "bucketize", "vocabulary"), "select": ("one_hot", "vocabulary"),
}  # fmt: skip
_OF_IMAGES = ("rgb565", "yuv422", "crop", "grey", "resize", "scale")


def generated(seed: int) -> Spec:
    """A specification of up to ten steps. Steps that do not fit are tried and left out: what they raise is a
    DataError, or the test that asked for this fails."""
    r = Random(seed, 190)
    taken, steps = _input(r), list[Step]()
    wanted = r.integer(3, 10)
    for _ in range(_TRIES):
        if len(steps) == wanted:
            break
        before = ["input", *(name_of(number, step) for number, step in enumerate(steps, 1))]
        usual = _OF_IMAGES if len(taken.shape) == 3 else _OF_SIGNALS
        likely = _AFTER.get(steps[-1].__struct_config__.tag, usual) if steps else usual
        given = {
            "kind": r.choice(likely if r.chance(0.5) else KINDS),
            "name": f"s{len(steps)}" if r.chance(0.5) else "",
        }
        fields = given | _FIELDS.get(given["kind"], _nothing)(r, before)
        if len(steps) and r.chance(0.25) and given["kind"] != "concat":
            fields["input"] = r.choice(before)
        step = msgspec.convert(fields, Step)  # type: ignore[arg-type]
        made = _made(Spec(taken, [*steps, step]))
        if 0 < made <= _MOST_VALUES:
            steps.append(step)
    return Spec(taken, steps or [msgspec.convert({"kind": "scale", "factor": [0.5]}, Step)])  # type: ignore[arg-type]


def model_of(spec: Spec) -> bytes:
    """The specification as a model whose outputs are all that no other step takes."""
    writer = GraphWriter("features")
    made = graph.write(spec, writer)
    tensors = {stage.name: stage.value.tensor for stage in made.stages}
    names = list(tensors)
    for number, step in enumerate(spec.steps):
        taken = (
            step.inputs if isinstance(step, Concat) else [step.input or (names[number - 1] if number else "")]
        )
        for name in taken:
            tensors.pop(name, None)
    outputs = list(dict.fromkeys(tensors.values()))
    writer.signature([spec.input.name], [f"out_{number}" for number in range(len(outputs))])
    return writer.build([made.input.tensor], outputs)


def _made(spec: Spec) -> int:
    """Values of the largest step; 0 where they do not fit together."""
    try:
        return max(stage.value.elements for stage in written(spec)[1].stages)
    except DataError:
        return 0


def _input(r: Random) -> Input:
    kind = r.choice(("signal", "signal", "signal", "table", "image", "clock"))
    if kind == "image":
        return Input([2 * r.integer(2, 8), 2 * r.integer(2, 8), r.choice((1, 2, 2, 3))], "uint8")
    if kind == "clock":
        return Input([r.integer(1, 3)], "int32")
    if kind == "table":
        return Input([r.integer(1, 9)], r.choice(("float32", "int16", "int8")))
    if r.chance(0.15):
        return Input([160], "int16", rate_hz=16000, stream=True)
    shape = [r.choice((32, 48, 64, 160, 240, 256))] + ([r.integer(1, 4)] if r.chance(0.5) else [])
    dtype = r.choice(("float32", "int16", "int8", "uint8", "int32"))
    return Input(shape, dtype, rate_hz=r.choice((0.0, 50.0, 8000.0, 16000.0)), stream=r.chance(0.5))


def _nothing(_: Random, __: list[str]) -> dict[str, Any]:
    return {}


def _window(r: Random, _: list[str]) -> dict[str, Any]:
    if r.chance(0.3):
        return {"length": 480, "hop": 160}
    length = r.choice((8, 16, 30, 32, 48, 64, 100, 160))
    return {"length": length, "hop": r.choice((length, length // 2, 8, 16, 32))}


def _iir(r: Random, _: list[str]) -> dict[str, Any]:
    if r.chance(0.5):
        return {
            "filter": r.choice(("lowpass", "highpass")),
            "cutoff_hz": r.choice((5, 20, 400)),
            "order": r.integer(1, 5),
        }
    return {"sections": [[0.5, -0.25, 0.125, -0.3, 0.1]] * r.integer(1, 3)}


def _statistics(r: Random, _: list[str]) -> dict[str, Any]:
    known = (*STATISTICS[:-1], "median", "quantile:0.9", "quantile:0", "quantile:1")
    return {"of": [str(one) for one in r.rng.permutation(known)[: r.integer(1, 6)]]}


def _mfcc(r: Random, _: list[str]) -> dict[str, Any]:
    return {
        "coefficients": r.integer(1, 8), "bands": r.integer(4, 12), "scale": r.choice(("htk", "slaney")),
        "window": r.choice(("hann", "hamming", "none")),
    }  # fmt: skip


def _scale(r: Random, _: list[str]) -> dict[str, Any]:
    clip = {"clip": [-2.0, r.choice((-1.0, 0.0, 5.0))]} if r.chance(0.5) else {}
    return {"offset": [float(r.integer(-3, 3))], "factor": [r.choice((0.001, 0.25, -3.0, 0.1))]} | clip


def _numbers(r: Random, _: list[str]) -> dict[str, Any]:
    return {"values": np.unique(r.rng.integers(-4, 5, r.integer(1, 6))).astype(float).tolist()}


def _cross(r: Random, _: list[str]) -> dict[str, Any]:
    count = r.integer(2, 3)
    return {
        "columns": [r.integer(0, 3) for _ in range(count)],
        "sizes": [r.integer(1, 9) for _ in range(count)],
    }


def _times(r: Random, _: list[str]) -> dict[str, Any]:
    chosen = [str(one) for one in r.rng.permutation(TIMES)[: r.integer(1, 5)]]
    return {"of": chosen, "offset_s": r.integer(-9999, 9999)}


def _area(r: Random, _: list[str]) -> dict[str, Any]:
    return {"height": r.integer(1, 12), "width": r.integer(1, 12)}


_SIZES = ("power", "magnitude")
_FIELDS: dict[str, Callable[[Random, list[str]], dict[str, Any]]] = {
    "window": _window,
    "stack": lambda r, _: {"rows": r.integer(2, 9)},
    "iir": _iir,
    "fir": lambda r, _: {"taps": r.rng.normal(size=r.integer(1, 9)).tolist()},
    "moving_average": lambda r, _: {"length": r.integer(1, 40)},
    "decimate": lambda r, _: {"factor": r.choice((2, 3, 4, 8))},
    "statistics": _statistics,
    "spectrum": lambda r, _: {
        "window": r.choice(("hann", "none")),
        "output": r.choice(("power", "magnitude")),
    },
    "mel": lambda r, _: {"bands": r.integer(2, 12), "low_hz": r.choice((1.0, 20.0)), "area": r.chance(0.5)},
    "log": lambda r, _: {"base": r.choice(("e", "10")), "factor": r.choice((1.0, 10.0))},
    "dct": lambda r, _: {"coefficients": r.integer(1, 12)},
    "mfcc": _mfcc,
    "micro_frontend": lambda r, _: {"channels": r.integer(8, 40), "pcan": r.chance(0.5)},
    "scale": _scale,
    "impute": lambda r, _: {"values": [0.25]},
    "select": lambda r, _: {"columns": r.rng.integers(0, 4, r.integer(1, 5)).tolist()},
    "bucketize": lambda r, _: {"boundaries": np.sort(r.rng.normal(size=r.integer(1, 5))).tolist()},
    "one_hot": _numbers,
    "vocabulary": _numbers,
    "concat": lambda r, before: {"inputs": [r.choice(before) for _ in range(r.integer(2, 3))]},
    "reshape": lambda r, _: {"shape": [r.choice((1, 2, 4, 8)), r.choice((1, 2, 4, 8, 16))]},
    "cross": _cross,
    "embedding": lambda r, _: {"table": r.rng.normal(size=(r.integer(1, 9), r.integer(1, 4))).tolist()},
    "time": _times,
    "crop": _area,
    "resize": lambda r, _: _area(r, _) | {"method": r.choice(("bilinear", "nearest"))},
    "rgb565": lambda r, _: {"order": r.choice(("big", "little"))},
    "yuv422": lambda r, _: {"order": r.choice(("yuyv", "uyvy")), "range": r.choice(("full", "video"))},
}
