# SPDX-License-Identifier: Apache-2.0
"""A pipeline all of whose conditions hold, to count what an inference takes at most: the same code, other
bounds in the comparisons."""

from __future__ import annotations

import numpy as np

from tinyserve.compiler.graph import objects
from tinyserve.pipeline.flags import TO_HIGH, TO_LOW
from tinyserve.pipeline.values import PREFIX

_BEYOND = 3e38  # of what any comparison is with


def all_holding(data: bytes) -> bytes:
    """The pipeline's file with bounds that every value passes. Nodes that exclude one another all run then:
    no inference of the pipeline itself takes more."""
    model = objects.unpack(data)
    for tensor in model.subgraphs[0].tensors:
        low = _bound(objects.text(tensor.name))
        if low is not None:
            tensor.buffer = objects.buffer(
                model, np.full(tensor.shape, -_BEYOND if low else _BEYOND, np.float32)
            )
    return objects.pack(model)


def _bound(name: str) -> bool | None:
    """Whether it is a lower bound; None for what is no bound."""
    if not name.startswith(PREFIX):
        return None
    last = name.rpartition("/")[2]
    if last.startswith(TO_LOW):
        return True
    return False if last.startswith(TO_HIGH) else None
