# SPDX-License-Identifier: Apache-2.0
"""Tensors of requests as arrays of the model's types: whatever protocol brought them, checked in one
place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from tinyserve import bundle
from tinyserve.bundle import TensorInfo
from tinyserve.errors import DataError
from tinyserve.serve.errors import RequestError
from tinyserve.serve.request import Array, InferRequest, Sample, SequenceStep, Wanted
from tinyserve.serve.served import DATATYPES, Served, samples_of
from tinyserve.words import counted

NUMPY = {datatype: np.dtype(ours).newbyteorder("<") for ours, datatype in DATATYPES.items()}
MOST_DIMENSIONS = 16
MOST_CLASSES = 10_000
_REAL = ("FP32", "FP64", "FP16")
_LONGEST_ID = 256
Parameter = bool | int | float | str


@dataclass(frozen=True)
class Given:
    """A tensor as a request has it: ``values`` are its bytes, or plain numbers."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: bytes | memoryview | Sequence[object]


@dataclass(frozen=True)
class Asked:
    """What a request says beside its tensors. ``parameters`` are the protocol's: timeout (microseconds),
    priority, sequence_id, sequence_start, sequence_end."""

    model: str
    version: str = ""
    id: str = ""
    parameters: Mapping[str, Parameter] | None = None
    wanted: tuple[Wanted, ...] = ()
    timeout_s: float | None = None


def to_request(asked: Asked, tensors: Sequence[Given], model: Served) -> InferRequest:
    """The request for the model. Raises RequestError, which names the tensor."""
    if len(asked.id) > _LONGEST_ID:
        raise RequestError(f"an id of {len(asked.id)} characters, {_LONGEST_ID} at most")
    samples = _samples(tensors, model)
    parameters = asked.parameters or {}
    timeout_us = _whole(parameters, "timeout")
    timeout_s = timeout_us / 1e6 if timeout_us else None
    both = [one for one in (timeout_s, asked.timeout_s) if one is not None]
    return InferRequest(
        model=asked.model, samples=samples, version=asked.version, id=asked.id,
        timeout_s=min(both) if both else None, priority=_whole(parameters, "priority"),
        sequence=_sequence(parameters), wanted=_wanted(asked.wanted, model),
        real=_flag(parameters, "dequantize"),
    )  # fmt: skip


def check_datatype(name: str, datatype: str) -> None:
    """Raises RequestError for an input of a type that the protocol does not have, or that no model takes."""
    if datatype not in NUMPY:
        raise RequestError(f"input {name[:80]}: there is no datatype {datatype[:20]!r} here")


def classes_of(name: str, parameters: Mapping[str, Parameter]) -> int:
    """How many classes an output is asked for, 0: its values. Raises RequestError."""
    classes = parameters.get("classification", 0)
    if isinstance(classes, bool) or not isinstance(classes, int):
        raise RequestError(f"output {name[:80]}: classification is a whole number")
    return classes


def _samples(tensors: Sequence[Given], model: Served) -> list[Sample]:
    by_name = {tensor.name: tensor for tensor in tensors}
    names = [info.name for info in model.inputs]
    if len(by_name) != len(tensors):
        raise RequestError(f"{model.name}: an input is given twice")
    if set(by_name) != set(names):
        raise RequestError(
            f"{model.name}: the inputs are {', '.join(map(repr, names))}; given: "
            f"{', '.join(repr(name[:80]) for name in by_name) or 'none'}",
            f"ask for them: GET /v2/models/{model.name}",
        )
    arrays = [_array(by_name[info.name], info) for info in model.inputs]
    try:
        return samples_of(arrays, model)
    except DataError as error:
        raise RequestError(f"{model.name}: {error.message}", error.hint) from error


def _array(tensor: Given, info: TensorInfo) -> Array:
    datatype = DATATYPES[info.dtype]
    quantizes = bool(info.scale) and tensor.datatype in _REAL
    if tensor.datatype != datatype and not quantizes:
        more = ", or FP32 in real units, which is quantized here" if info.scale else ""
        raise RequestError(f"input {tensor.name} is {tensor.datatype[:20]}, the model takes {datatype}{more}")
    array = _shaped(tensor)
    return _quantized(array, info) if quantizes else array.astype(info.dtype, copy=False)


def check_shape(name: str, shape: Sequence[int]) -> None:
    """Before anything is computed of it or allocated: a shape is only numbers. Raises RequestError."""
    if len(shape) > MOST_DIMENSIONS or any(extent < 1 for extent in shape):
        raise RequestError(
            f"input {name[:80]} has the shape {list(shape[:20])}",
            f"up to {MOST_DIMENSIONS} extents, each from 1 on",
        )


def _shaped(tensor: Given) -> Array:
    check_shape(tensor.name, tensor.shape)
    dtype = NUMPY[tensor.datatype]
    count = math.prod(tensor.shape)
    if isinstance(tensor.values, bytes | memoryview):
        if len(tensor.values) != count * dtype.itemsize:
            raise RequestError(
                f"input {tensor.name} has {len(tensor.values)} bytes; {list(tensor.shape)} of"
                f" {tensor.datatype} take {count * dtype.itemsize}"
            )
        if dtype.kind == "b" and max(bytes(tensor.values), default=0) > 1:
            raise RequestError(f"input {tensor.name} is BOOL: its bytes are to be 0 or 1")
        return np.frombuffer(tensor.values, dtype).reshape(tensor.shape)
    return _from_numbers(tensor, dtype, count)


def _from_numbers(tensor: Given, dtype: np.dtype[Any], count: int) -> Array:
    flat: list[Any] = _flat(tensor.values, tensor.name, count)
    if len(flat) != count:
        raise RequestError(
            f"input {tensor.name} has {counted(len(flat), 'value')}, its shape "
            f"{list(tensor.shape)} takes {count}"
        )
    kinds: tuple[type, ...] = {"f": (int, float), "b": (bool,)}.get(dtype.kind, (int,))
    if not all(type(value) in kinds for value in flat):
        wanted = {"f": "numbers", "b": "true or false"}.get(dtype.kind, "whole numbers")
        raise RequestError(f"input {tensor.name} is {tensor.datatype}: its values are to be {wanted}")
    try:
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            if flat and not (limits.min <= min(flat) and max(flat) <= limits.max):
                raise RequestError(f"input {tensor.name} is {tensor.datatype}: {limits.min} to {limits.max}")
        return np.array(flat, dtype).reshape(tensor.shape)
    except (OverflowError, ValueError) as error:
        raise RequestError(f"input {tensor.name}: {error}") from error


def _flat(values: object, name: str, most: int) -> list[object]:
    """Numbers row by row; the protocol lets them be nested as the shape is, or flat. What has more than
    ``most`` values is not looked at further: it would hold up other requests."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise RequestError(f"input {name}: its data is no list")
    level = list(values) if len(values) <= most else values
    for _ in range(MOST_DIMENSIONS + 1):
        if len(level) > most:
            raise RequestError(f"input {name} has more values than its shape takes, which is {most}")
        if not level or not isinstance(level[0], list):
            return list(level)
        length = len(level[0])
        if any(type(value) is not list or len(value) != length for value in level):
            raise RequestError(f"input {name}: its lists differ in length")
        if len(level) * length > most:
            raise RequestError(f"input {name} has more values than its shape takes, which is {most}")
        level = list(chain.from_iterable(level))
    raise RequestError(f"input {name}: lists within lists, more than {MOST_DIMENSIONS} deep")


def _quantized(array: Array, info: TensorInfo) -> Array:
    if not np.isfinite(array).all():
        raise RequestError(f"input {info.name} holds values that are not finite, which have no {info.dtype}")
    with np.errstate(over="ignore"):
        return bundle.quantize(array.astype(np.float32), info)


def _wanted(wanted: tuple[Wanted, ...], model: Served) -> tuple[Wanted, ...]:
    names = model.output_names
    for one in wanted:
        if one.name not in names:
            raise RequestError(
                f"{model.name} has no output {one.name[:80]!r} (it has {', '.join(map(repr, names))})"
            )
        if one.classes and one.name == model.label_output:
            raise RequestError(
                f"output {one.name}: holds names of classes already", "leave classification out"
            )
        if not 0 <= one.classes <= MOST_CLASSES:
            raise RequestError(f"output {one.name}: classification {one.classes}", f"1 to {MOST_CLASSES}")
    if len({one.name for one in wanted}) != len(wanted):
        raise RequestError(f"{model.name}: an output is asked for twice")
    return wanted


def _sequence(parameters: Mapping[str, Parameter]) -> SequenceStep | None:
    name = parameters.get("sequence_id", 0)
    if isinstance(name, bool | float) or (isinstance(name, int) and name < 0):
        raise RequestError("sequence_id is a whole number or a string")
    start, end = _flag(parameters, "sequence_start"), _flag(parameters, "sequence_end")
    if name in (0, ""):
        return None
    if len(str(name)) > _LONGEST_ID:
        raise RequestError(f"a sequence_id of {len(str(name))} characters, {_LONGEST_ID} at most")
    return SequenceStep(f"{type(name).__name__}:{name}", start, end)


def _whole(parameters: Mapping[str, Parameter], name: str) -> int:
    value = parameters.get(name, 0)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise RequestError(f"parameter {name}: a whole number from 0 on")
    return value


def _flag(parameters: Mapping[str, Parameter], name: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise RequestError(f"parameter {name}: true or false")
    return value
