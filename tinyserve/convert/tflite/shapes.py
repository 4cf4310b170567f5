# SPDX-License-Identifier: Apache-2.0
"""Shapes as LiteRT finds them, in a file that says otherwise. Worker process only.

LiteRT computes every shape anew before it runs a model, so a converter's slip in the shape of an inner tensor
(dilated convolutions of one dimension have one) shows nowhere but in engines that trust the file.
"""

from __future__ import annotations

from tinyserve.compiler.graph import objects
from tinyserve.convert.worker import runtimes


def inferred(data: bytes) -> bytes:
    """The file with the shapes of its main graph's tensors as LiteRT has them after allocation."""
    found = runtimes.shapes(data)
    model = objects.unpack(data)
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        if index in found and not objects.is_constant(model, tensor):
            tensor.shape = list(found[index])
            tensor.shapeSignature = None
    return objects.pack(model)
