# SPDX-License-Identifier: Apache-2.0
"""A small int8 classifier for tests of the workflow: 8x8 images, three classes, built in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import workflow
from tinyserve.bundle import Bundle
from tinyserve.progress import silent

CLASSES = 3


def write_classifier(path: Path, seed: int = 1) -> Path:
    """Writes CONV_2D, FULLY_CONNECTED, SOFTMAX with random weights as a .tflite."""
    rng = np.random.default_rng(seed)
    model = ModelBuilder()
    graph = model.graph()
    image = graph.input((1, 8, 8, 1), "int8", scale=1 / 16, zero_point=-128, name="image")
    filters = graph.constant(rng.integers(-127, 128, (4, 3, 3, 1), dtype=np.int8), scale=[0.02] * 4, axis=0)
    bias = graph.constant(rng.integers(-500, 500, (4,), dtype=np.int32), scale=[0.02 / 16] * 4, axis=0)
    edges = graph.tensor((1, 4, 4, 4), "int8", scale=0.25, zero_point=-128, name="edges")
    graph.op(
        "CONV_2D", [image, filters, bias], [edges], padding="SAME", stride_w=2, stride_h=2, activation="RELU",
        dilation_w_factor=1, dilation_h_factor=1,
    )  # fmt: skip
    weights = graph.constant(rng.integers(-127, 128, (CLASSES, 64), dtype=np.int8), scale=0.01)
    logits = graph.tensor((1, CLASSES), "int8", scale=0.5, zero_point=3, name="logits")
    graph.op("FULLY_CONNECTED", [edges, weights, None], [logits])
    scores = graph.tensor((1, CLASSES), "int8", scale=1 / 256, zero_point=-128, name="scores")
    graph.op("SOFTMAX", [logits], [scores], beta=1.0)
    graph.output(scores)
    path.write_bytes(model.build())
    return path


def classifier_bundle(folder: Path, name: str = "shapes", seed: int = 1) -> Bundle:
    """The classifier's bundle in ``folder``, as `tinyserve convert` makes it of the .tflite."""
    source = write_classifier(folder / f"{name}.tflite", seed)
    return workflow.to_bundle(source, workflow.Conversion(output=folder / name), silent)


def write_dataset(path: Path, samples: int = 12) -> Path:
    """Random images with random labels, as .npz."""
    rng = np.random.default_rng(7)
    images = rng.uniform(0, 15, (samples, 8, 8, 1)).astype(np.float32)
    np.savez(path, x=images, y=rng.integers(0, CLASSES, samples))
    return path
