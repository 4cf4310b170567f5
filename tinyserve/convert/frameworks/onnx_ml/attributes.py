# SPDX-License-Identifier: Apache-2.0
"""Attributes of nodes of the domain ai.onnx.ml."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

DOMAIN = "ai.onnx.ml"
CLASSIFIERS = ("LinearClassifier", "TreeEnsembleClassifier", "SVMClassifier")


class Attributes:
    """Of one node, with the defaults that the standard has."""

    def __init__(self, node: Any) -> None:
        onnx = importlib.import_module("onnx")
        self._values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    def floats(self, name: str) -> npt.NDArray[np.float32]:
        """Also where the exporter wrote them as a tensor of doubles (``NAME_as_tensor``)."""
        tensor = self._values.get(f"{name}_as_tensor")
        if tensor is not None:
            onnx = importlib.import_module("onnx")
            return np.asarray(onnx.numpy_helper.to_array(tensor), np.float32).reshape(-1)
        return np.asarray(self._values.get(name, ()), np.float32).reshape(-1)

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        return np.asarray(self._values.get(name, ()), np.int64).reshape(-1)

    def integer(self, name: str, default: int) -> int:
        return int(self._values.get(name, default))

    def text(self, name: str, default: str) -> str:
        value = self._values.get(name, default)
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

    def texts(self, name: str) -> list[str]:
        values = self._values.get(name, ())
        return [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values]

    def labels(self) -> list[str]:
        """The classes of a classifier, in the order of its probabilities."""
        for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
            if self._values.get(name):
                return self.texts(name)
        return []


def is_classic(node: Any) -> bool:
    return bool(node.domain == DOMAIN)


def classic_nodes(model: Any) -> Iterator[Any]:
    return (node for node in model.graph.node if is_classic(node))
