# SPDX-License-Identifier: Apache-2.0
"""What a TensorFlow function computes on its way, by its operators' names, which begin with the layers'.
Worker process only.

TFLite's converter renames and fuses: where a value lies in the .tflite is found by comparing numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks import tensorflow
from tinyserve.convert.worker.loaded import Arrays
from tinyserve.convert.worker.messages import Place

Trace = Callable[[Arrays], dict[str, npt.NDArray[Any]]]
_NOTHING_NEW = frozenset(["Identity", "Placeholder", "NoOp", "Const", "Reshape", "ExpandDims", "Squeeze"])


def seen(tf: Any, function: Any) -> tuple[dict[str, Place], Trace | None]:
    """Which values a function of ``tensorflow.traced`` computes, and what gives them for a sample. Nothing of
    a function that has state."""
    if tensorflow.assigns(function):
        return {}, None
    frozen = tensorflow.frozen(function)
    found = _places(frozen)
    return found, _tracer(tf, frozen, list(found))


def _places(frozen: Any) -> dict[str, Place]:
    """Of the float values that depend on an input, in the graph's order."""
    behind: dict[str, list[str]] = {tensor.op.name: [] for tensor in frozen.inputs}
    found: dict[str, Place] = {}
    for operation in frozen.graph.get_operations():
        makers = [tensor.op.name for tensor in operation.inputs if tensor.op.name in behind]
        if not makers:
            continue
        reads = [name for maker in makers for name in ([maker] if maker in found else behind[maker])]
        behind[operation.name] = list(dict.fromkeys(reads))
        if _is_value(operation):
            place = Place("", [], f"{operation.type} '{operation.name}'", behind[operation.name])
            found[operation.name] = place
    return found


def _is_value(operation: Any) -> bool:
    if operation.type in _NOTHING_NEW or not operation.outputs:
        return False
    output = operation.outputs[0]
    return bool(output.dtype.name == "float32" and output.shape.is_fully_defined())


def _tracer(tf: Any, frozen: Any, names: list[str]) -> Trace:
    def trace(sample: Arrays) -> dict[str, npt.NDArray[Any]]:
        fetched = [frozen.graph.get_operation_by_name(name).outputs[0] for name in names]
        pruned = frozen.prune(list(frozen.inputs), fetched)
        pairs = zip(sample, frozen.inputs, strict=True)
        values = pruned(*(tf.constant(value.reshape(t.shape), t.dtype) for value, t in pairs))
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}

    return trace
