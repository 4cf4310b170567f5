# SPDX-License-Identifier: Apache-2.0
"""What the operators of ONNX are written with: values in, values out, in whatever layout they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import.draft import Draft, narrowed
from tinyserve.convert.frameworks.onnx_import.values import (
    Permutation,
    Value,
    identity,
    permuted,
    same_order,
)

Array = npt.NDArray[Any]
FLOAT, INT32, BOOL = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.bool_)


class Context:
    """The draft, and the name under which tensors are made (that of the node at hand)."""

    def __init__(self) -> None:
        self.draft = Draft()
        self.scope = "model"
        self._made = 0

    def enter(self, scope: str) -> None:
        self.scope, self._made = scope, 0

    def new(self, shape: Sequence[int], dtype: Any = FLOAT) -> int:
        """A tensor for a result."""
        self._made += 1
        return self.draft.tensor(f"{self.scope}/{self._made}", shape, np.dtype(dtype).name)

    def emit(
        self, name: str, inputs: Sequence[int], shape: Sequence[int], dtype: Any = FLOAT, **fields: float
    ) -> int:
        """One operator with one output, whose tensor is returned."""
        output = self.new(shape, dtype)
        self.draft.operator(name, inputs, [output], **fields)
        return output

    # --- values

    def constant(self, data: Any, name: str = "") -> Value:
        """A value that is known."""
        name = name or f"{self.scope}/constant"
        array = narrowed(np.asarray(data), name)
        return Value(name, array.shape, array.dtype, array)

    def scalar(self, number: float, dtype: Any = FLOAT) -> Value:
        return self.constant(np.array(number, dtype))

    def computed(
        self, tensor: int, shape: Sequence[int], form: Permutation | None = None, like: Value | None = None
    ) -> Value:
        """A value that lies in ``tensor``. ``like``: it is as spatial as this one."""
        logical = tuple(int(n) for n in shape)
        made = self.draft.tensors[tensor]
        form = identity(len(logical)) if form is None else form
        assert made.shape == permuted(logical, form), (made.shape, logical, form)
        return Value(
            made.name,
            logical,
            np.dtype(made.dtype),
            forms={form: tensor},
            spatial=bool(like and like.spatial),
        )

    # --- layouts

    def tensor(self, value: Value, form: Permutation | None = None) -> int:
        """The tensor that holds the value in this form (by default, as it is written); made where needed."""
        form = identity(value.rank) if form is None else form
        if form in value.forms:
            return value.forms[form]
        if value.data is not None:
            stored = np.ascontiguousarray(value.data.transpose(form)) if value.rank else value.data
            value.forms[form] = self.draft.constant(value.name, stored)
            return value.forms[form]
        if not value.forms:
            assert value.make is not None
            value.forms[identity(value.rank)] = value.make()
            return self.tensor(value, form)
        value.forms[form] = self._moved(value, self._nearest(value, form), form)
        return value.forms[form]

    @staticmethod
    def _nearest(value: Value, form: Permutation) -> Permutation:
        for source in value.forms:
            if same_order(value.shape, source, form):
                return source
        return value.natural

    def _moved(self, value: Value, source: Permutation, form: Permutation) -> int:
        shape, tensor = permuted(value.shape, form), value.forms[source]
        if same_order(value.shape, source, form):
            return self.reshaped(tensor, shape)
        axes = np.array([source.index(axis) for axis in form], np.int32)
        order = self.draft.constant(f"{self.scope}/order", axes)
        return self.emit("TRANSPOSE", [tensor, order], shape, self.draft.tensors[tensor].dtype)

    def reshaped(self, tensor: int, shape: Sequence[int]) -> int:
        """The same bytes under another shape."""
        shape = tuple(int(n) for n in shape)
        return tensor if self.draft.tensors[tensor].shape == shape else self.copied(tensor, shape)

    def copied(self, tensor: int, shape: tuple[int, ...]) -> int:
        """The same bytes in a tensor of their own, of this shape."""
        dtype = self.draft.tensors[tensor].dtype
        if not shape:  # RESHAPE's list of extents would be empty, which kernels refuse
            return self.emit("SQUEEZE", [tensor], shape, dtype)
        target = self.draft.constant(f"{self.scope}/shape", np.array(shape, np.int32))
        return self.emit("RESHAPE", [tensor, target], shape, dtype)

    def form_for(self, value: Value, axis_last: int) -> Permutation:
        """A form of the value in which the logical axis lies last: one that there is, or one that is made."""
        for form in (*value.forms, identity(value.rank)):
            if form[-1] == axis_last:
                return form
        return (*(axis for axis in identity(value.rank) if axis != axis_last), axis_last)

    def known(self, value: Value) -> Array | None:
        """The data of a constant."""
        return value.data


def renamed(value: Value, name: str) -> Value:
    return replace(value, name=name)
