# SPDX-License-Identifier: Apache-2.0
"""A classifier of 16 numbers in four classes; another seed is the same model, trained anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import workflow
from tinyserve.bundle import Bundle
from tinyserve.progress import silent


def classifier(seed: int = 1, hidden: int = 8, entry: str = "x") -> bytes:
    rng = np.random.default_rng(seed)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 16), "int8", 0.05, 0, name=entry)
    h = graph.tensor((1, hidden), "int8", 0.05, -128, name="h")
    y = graph.tensor((1, 4), "int8", 0.1, 0, name="y")
    p = graph.tensor((1, 4), "int8", 1 / 256, -128, name="p")
    for wide, rows, source, made, activation in ((16, hidden, x, h, "RELU"), (hidden, 4, h, y, "NONE")):
        weights = graph.constant(rng.integers(-127, 128, (rows, wide)).astype(np.int8), scale=0.01)
        bias = graph.constant(rng.integers(-400, 400, rows).astype(np.int32), scale=0.0005)
        graph.op("FULLY_CONNECTED", [source, weights, bias], [made], activation=activation)
    graph.op("SOFTMAX", [y], [p], beta=1.0)
    graph.output(p)
    return model.build()


def bundle_of(data: bytes, directory: Path, name: str = "tiny") -> Bundle:
    """As `tinyserve convert` makes it of a .tflite."""
    directory.mkdir(parents=True, exist_ok=True)
    source = directory / f"{name}.tflite"
    source.write_bytes(data)
    conversion = workflow.Conversion(output=directory / f"{name}.bundle")
    return workflow.to_bundle(source, conversion, silent)
