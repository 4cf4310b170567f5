# SPDX-License-Identifier: Apache-2.0
"""Layers of a float model by the names that people know them by."""

from __future__ import annotations

import difflib

from tinyserve.compiler.graph.types import Model, Operator
from tinyserve.compiler.names import short_name
from tinyserve.errors import UsageError


def tensors_of(model: Model, name: str) -> list[str]:
    """Full names of the tensors that the layers called ``name`` write.

    The most exact meaning counts: a tensor's whole name or one of those that were fused into it, the layer's
    name in reports and generated C, a part of its path, an operator ("softmax": all of them). Raises
    UsageError where nothing is called so.
    """
    operators = model.main.operators
    for meaning in (_exactly, _shortly, _partly, _by_operator):
        found = [t.name for op in operators for t in op.outputs if meaning(op, t.name, name)]
        if found:
            return found
    known = list(dict.fromkeys(short_name(t.name) for op in operators for t in op.outputs))
    near = ", ".join(difflib.get_close_matches(name, known, 5, 0.0))
    raise UsageError(f"no layer is called '{name}'", f"name one of the model's: {near}")


def _exactly(op: Operator, tensor: str, name: str) -> bool:
    return tensor == name or name in tensor.split(";")


def _shortly(op: Operator, tensor: str, name: str) -> bool:
    return short_name(tensor) == name


def _partly(op: Operator, tensor: str, name: str) -> bool:
    return any(name in path.split("/") for path in tensor.split(";"))


def _by_operator(op: Operator, tensor: str, name: str) -> bool:
    return op.name.lower() == name.lower()
