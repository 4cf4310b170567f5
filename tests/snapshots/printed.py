# SPDX-License-Identifier: Apache-2.0
"""What tinyserve prints, in the forms that people and their tools read: texts by the names of their files."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console

from tests.bench.results import make_result
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import __version__, boards
from tinyserve.bench.judge.budget import Limit, Violation
from tinyserve.bench.judge.metrics import named
from tinyserve.bench.result import BenchReport, FailedCell
from tinyserve.boards.fit import Demand
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.program import Interface
from tinyserve.report.forms import FORMS, encode
from tinyserve.report.text import bench, inspection

EXPECTED = Path(__file__).with_name("expected")
_WIDTH = 120
_SOURCES = ("model.c", "model.h", "model.hpp", "model_values.h", "weights.c", "weights.h")


def printed() -> dict[str, str]:
    """All texts, without tinyserve's version and the model's hash: no reasons to look at them again."""
    texts = {**_terminal(), **_forms(), **_generated()}
    digest = hashlib.sha256(model()).hexdigest()
    left_out = re.compile(rf"\b(?:{re.escape(__version__)}|{digest}|{digest[:16]})\b")
    return {name: left_out.sub("LEFT OUT", text) for name, text in texts.items()}


def model() -> bytes:
    """A convolution, a pool, a fully connected layer and a softmax, of int8: each kind of parameter."""
    made = ModelBuilder()
    graph = made.graph()
    rng = np.random.default_rng(5)

    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
        return rng.integers(-50, 50, shape).astype(np.int8)

    image = graph.input((1, 6, 6, 2), "int8", 0.05, -3, name="image")
    features = graph.tensor((1, 6, 6, 4), "int8", 0.1, -128, name="features")
    filters = graph.constant(weights(4, 3, 3, 2), (0.01, 0.02, 0.03, 0.04), (0,) * 4, name="filters")
    start = graph.constant(np.arange(4, dtype=np.int32), 0.0005, name="filters_bias")
    graph.op("CONV_2D", [image, filters, start], [features], padding=0, stride_w=1, stride_h=1,
             fused_activation_function=1, dilation_w_factor=1, dilation_h_factor=1)  # fmt: skip
    pooled = graph.tensor((1, 1, 1, 4), "int8", 0.1, -128, name="pooled")
    graph.op("AVERAGE_POOL_2D", [features], [pooled], padding=1, stride_w=6, stride_h=6,
             filter_width=6, filter_height=6, fused_activation_function=0)  # fmt: skip
    scores = graph.tensor((1, 3), "int8", 0.2, 4, name="scores")
    matrix = graph.constant(weights(3, 4), 0.02, name="matrix")
    graph.op("FULLY_CONNECTED", [pooled, matrix, None], [scores], fused_activation_function=0)
    classes = graph.tensor((1, 3), "int8", 1 / 256, -128, name="classes")
    graph.op("SOFTMAX", [scores], [classes], beta=1.0)
    graph.output(classes)
    return made.build()


def _terminal() -> dict[str, str]:
    failure = FailedCell("vww", "bluepill", "RAM is 40,000 bytes over", 7)
    one = BenchReport(results=[make_result()])
    several = BenchReport(results=[make_result(), make_result("pico")], failures=[failure])
    compiled = compile_model(model())
    return {
        "bench.txt": _shown(lambda console: bench.show(one, console)),
        "bench_matrix.txt": _shown(lambda console: bench.show(several, console)),
        "inspect.txt": _shown(lambda console: console.print(inspection.summary(compiled, "model", _needs()))),
    }


def _needs() -> inspection.Needs:
    """Made up: what compilers make of the model changes with their versions."""
    nano33, small = boards.load("nano33"), boards.load("bluepill")
    demand = Demand(flash_bytes=70_000, ram_bytes=12_000, constant_bytes=40_000)
    return inspection.Needs(nano33, demand, [(nano33, demand), (small, demand)])


def _shown(show: Callable[[Console], None]) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=_WIDTH, color_system=None, legacy_windows=False))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _forms() -> dict[str, str]:
    """A report in each form of a file, with a budget that is broken."""
    report = BenchReport(results=[make_result()])
    metric = named("instructions")
    assert metric is not None
    broken = [Violation("kws on nano33", Limit(metric, 1e6, "[defaults]"), 2_700_000)]
    return {f"bench.{form}": encode(form, report, broken, None).decode() for form in FORMS}


def _generated() -> dict[str, str]:
    labels = Interface(labels=("yes", "no", "other"))
    files = compile_model(model(), interface=labels).sources.files
    return {name: str(files[name]) for name in _SOURCES}
