# SPDX-License-Identifier: Apache-2.0
"""Small models with the interfaces of MLPerf Tiny's: an autoencoder and an image classifier."""

from __future__ import annotations

import numpy as np

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import Compiled, compile_model

FEATURES, PIXELS, CLASSES = 40, 48, 3
IN_SCALE, IN_ZERO, OUT_SCALE, OUT_ZERO = 0.39215689, 89, 0.36449826, 96


def autoencoder(dtype: str = "int8") -> Compiled:
    """FULLY_CONNECTED from FEATURES values to as many, as ad01 is from 640 to 640."""
    weights = np.random.default_rng(4).integers(-127, 128, (FEATURES, FEATURES), dtype=np.int8)
    model = ModelBuilder()
    graph = model.graph()
    if dtype == "float32":
        given = graph.input((1, FEATURES), dtype, name="given")
        found = graph.tensor((1, FEATURES), dtype, name="found")
        constant = graph.constant((weights * 0.002).astype(np.float32))
    else:
        given = graph.input((1, FEATURES), dtype, scale=IN_SCALE, zero_point=IN_ZERO, name="given")
        found = graph.tensor((1, FEATURES), dtype, scale=OUT_SCALE, zero_point=OUT_ZERO, name="found")
        constant = graph.constant(weights, scale=0.002)
    graph.op("FULLY_CONNECTED", [given, constant, None], [found])
    graph.output(found)
    return compile_model(model.build(), name="model")


def classifier() -> Compiled:
    """FULLY_CONNECTED from an image to CLASSES values."""
    weights = np.random.default_rng(5).integers(-127, 128, (CLASSES, PIXELS), dtype=np.int8)
    model = ModelBuilder()
    graph = model.graph()
    image = graph.input((1, PIXELS), "int8", scale=1 / 255, zero_point=-128, name="image")
    scores = graph.tensor((1, CLASSES), "int8", scale=0.5, zero_point=3, name="scores")
    graph.op("FULLY_CONNECTED", [image, graph.constant(weights, scale=0.01), None], [scores])
    graph.output(scores)
    return compile_model(model.build(), name="model")
