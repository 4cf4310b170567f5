# SPDX-License-Identifier: Apache-2.0
"""Features as a .tflite of their own. Needs the schema of such files, which LiteRT brings."""

from __future__ import annotations

from tinyserve.compiler.graph.writer import GraphWriter
from tinyserve.features import graph
from tinyserve.features.graph import Features
from tinyserve.features.spec import Spec


def written(spec: Spec, shape: tuple[int, ...] | None = None) -> tuple[bytes, Features]:
    """The specification as a model from raw samples to float32 features, and what each step gives.

    ``shape``: what a network takes, batch axis included; None leaves the last step's. Raises DataError where
    a step does not fit, ToolError where the schema's package is missing.
    """
    writer = GraphWriter("tinyserve: features")
    made = graph.write(spec, writer, shape)
    writer.signature([spec.input.name or "samples"], ["features"])
    return writer.build([made.input.tensor], [made.output.tensor]), made
