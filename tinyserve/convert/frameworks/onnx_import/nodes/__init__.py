# SPDX-License-Identifier: Apache-2.0
"""The operators of ONNX by family, each as what it is in TFLite. Importing this registers them."""

from tinyserve.convert.frameworks.onnx_import.nodes import (
    activations,
    arithmetic,
    convolution,
    functions,
    indexing,
    normalization,
    pooling,
    products,
    quantization,
    recurrent,
    reductions,
    resizing,
    scattering,
    shapes,
)

__all__ = [
    "activations",
    "arithmetic",
    "convolution",
    "functions",
    "indexing",
    "normalization",
    "pooling",
    "products",
    "quantization",
    "recurrent",
    "reductions",
    "resizing",
    "scattering",
    "shapes",
]
