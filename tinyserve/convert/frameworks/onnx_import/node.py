# SPDX-License-Identifier: Apache-2.0
"""A node of an ONNX model as the functions that import operators see it, and the list of these functions."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.naming import describe
from tinyserve.convert.frameworks.onnx_import.values import Value
from tinyserve.errors import UnsupportedError

Array = npt.NDArray[Any]
Handler = Callable[[Context, "Node"], "Value | list[Value]"]
HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Registers a function as what imports these operators."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


class Node:
    """A node with its inputs as values. ``shapes`` are its outputs'; ``alone``: of each input, whether
    nothing else reads it; ``wanted``: of each output, whether anything does."""

    def __init__(self, proto: Any, inputs: list[Value | None], opset: int, *, shapes: list[tuple[int, ...]],
                 alone: list[bool], wanted: list[bool]) -> None:  # fmt: skip
        onnx = importlib.import_module("onnx")
        self.proto, self.op, self.opset = proto, proto.op_type, opset
        self.inputs, self.shapes, self.alone, self.wanted = inputs, shapes, alone, wanted
        self._attributes = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute; strings as str."""
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def input(self, index: int) -> Value:
        """Raises UnsupportedError where it is left out."""
        value = self.optional(index)
        if value is None:
            raise self.refusal(f"without its input {index}")
        return value

    def optional(self, index: int) -> Value | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int, what: str) -> Array:
        """The data of an input that must be known."""
        value = self.input(index)
        if value.data is None:
            raise self.refusal(f"with {what} that are computed at run time")
        return value.data

    def numbers(self, name: str, index: int) -> list[int] | None:
        """A list of integers that older opsets have as an attribute and newer ones as an input."""
        if name in self._attributes:
            return [int(n) for n in np.atleast_1d(self._attributes[name])]
        value = self.optional(index)
        return None if value is None else [int(n) for n in np.atleast_1d(self.constant(index, name))]

    def refusal(self, what: str, hint: str = "") -> UnsupportedError:
        return UnsupportedError(
            f"{describe(self.proto)}: {self.op} {what} has no form here",
            hint or "write this step with other operators, or leave it to the program around the model",
        )
