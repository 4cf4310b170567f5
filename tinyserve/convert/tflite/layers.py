# SPDX-License-Identifier: Apache-2.0
"""Layers of a float model by the names that people know them by."""

from __future__ import annotations

import difflib

from tinyserve.compiler.graph.types import Model, Node
from tinyserve.compiler.names import short_name
from tinyserve.errors import UsageError


def tensors_of(model: Model, name: str) -> list[str]:
    """Full names of the tensors that the layers called ``name`` write.

    The most exact meaning counts: a tensor's whole name or one of those that were fused into it, the layer's
    name in reports and generated C, a part of its path, an operator ("softmax": all of them). Raises
    UsageError where nothing is called so.
    """
    nodes = model.main.nodes
    for meaning in (_exactly, _shortly, _partly, _by_operator):
        found = [t.name for node in nodes for t in node.outputs if meaning(node, t.name, name)]
        if found:
            return found
    known = list(dict.fromkeys(short_name(t.name) for node in nodes for t in node.outputs))
    near = ", ".join(difflib.get_close_matches(name, known, 5, 0.0))
    raise UsageError(f"no layer is called '{name}'", f"name one of the model's: {near}")


def _exactly(node: Node, tensor: str, name: str) -> bool:
    return tensor == name or name in tensor.split(";")


def _shortly(node: Node, tensor: str, name: str) -> bool:
    return short_name(tensor) == name


def _partly(node: Node, tensor: str, name: str) -> bool:
    return any(name in path.split("/") for path in tensor.split(";"))


def _by_operator(node: Node, tensor: str, name: str) -> bool:
    return node.name.lower() == name.lower()
