# SPDX-License-Identifier: Apache-2.0
"""A bundle's manifest, of a model that is nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from tinyserve.bundle import Manifest, Source, TensorInfo


def manifest_of(
    input_shape: Sequence[int], output_shape: Sequence[int], labels: Sequence[str], scale: float, zero: int
) -> Manifest:
    """Of one int8 input and one int8 output."""
    return Manifest(
        name="model", model_sha256="ab" * 32, source=Source("model.keras", "cd" * 32, "keras"),
        quantize="int8", ops={}, macs=0, arena_bytes=0, samples=0, expected_from="tflm", tools={},
        inputs=[TensorInfo("x", [1, *input_shape], "int8", scale, zero)],
        outputs=[TensorInfo("y", [1, *output_shape], "int8", 1 / 256, -128)],
        labels=list(labels),
    )  # fmt: skip
