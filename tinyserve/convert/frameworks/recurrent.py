# SPDX-License-Identifier: Apache-2.0
"""Keras' recurrent layers as the graphs that TFLite's converter and quantizer can take. Worker process only.

A recurrent layer is traced as a loop over tensor lists, which ends in operators that no quantizer takes (and
that bring TensorFlow's down). On a microcontroller the number of steps is fixed: the steps are laid out one
after the other, with the same weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_MANY_STEPS = 64


def unroll(model: Any, shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """Has every recurrent layer inside the model lay its steps out. Returns notes for the manifest."""
    changed = False
    for layer in _layers(model):
        if hasattr(layer, "unroll") and hasattr(layer, "cell"):
            layer.unroll = True
            changed = True
    steps = max((shape[1] for shape in shapes if len(shape) > 2), default=0)
    if changed and steps > _MANY_STEPS:
        return [f"recurrent layers are unrolled over {steps} steps: shorter windows make smaller models"]
    return []


def _layers(model: Any) -> Iterator[Any]:
    """All layers, in wrappers and nested models too, each once."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        waiting += _inside(layer)


def _inside(layer: Any) -> list[Any]:
    flatten = getattr(layer, "_flatten_layers", None)
    if flatten is None:
        return []
    try:
        return list(flatten(include_self=False, recursive=False))
    except TypeError:  # another Keras takes other arguments
        return list(flatten())
