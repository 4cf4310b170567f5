# SPDX-License-Identifier: Apache-2.0
"""Features in front of a network. Worker process only."""

from __future__ import annotations

from tinyserve.compiler.graph import reader
from tinyserve.convert.tflite import surgery
from tinyserve.errors import UnsupportedError
from tinyserve.features.model import written
from tinyserve.features.spec import Spec


def attached(spec: Spec, network: bytes) -> bytes:
    """``network`` behind its features: the model takes raw samples.

    Raises UnsupportedError for a network of several inputs or subgraphs, DataError where shapes do not fit.
    """
    model = reader.read(network)
    if len(model.main.inputs) != 1 or len(model.graphs) > 1:
        raise UnsupportedError(
            f"a model of {len(model.main.inputs)} inputs and {len(model.graphs)} graphs behind features",
            "features go in front of models of one input without loops",
        )
    taken = model.main.inputs[0]
    if taken.dtype.value != "float32":
        raise UnsupportedError(
            f"a model whose input is {taken.dtype.value} behind features, which are float32",
            "give the float model, and --representative with raw samples",
        )
    return surgery.prepended(written(spec, taken.shape)[0], network)
