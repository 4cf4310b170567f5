# SPDX-License-Identifier: Apache-2.0
"""Samples as messages bring them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve import bundle
from tinyserve.bundle import TensorInfo
from tinyserve.documents import from_json
from tinyserve.errors import DataError
from tinyserve.words import counted

RAW = "application/octet-stream"
Values = npt.NDArray[np.float64]
_HINT = "send the input's values as a JSON array, or its bytes with the content type application/octet-stream"


def decode(payload: bytes, content_type: str, inputs: Sequence[TensorInfo]) -> Values:
    """The values of all inputs in their order, in real units.

    A payload is a JSON array of numbers, nested or flat, for a model of one input; an object of such arrays
    by the inputs' names for any; or with the content type RAW the inputs' bytes one after the other, in the
    model's own types, little-endian. Raises DataError for anything else.
    """
    if content_type == RAW:
        return _raw(payload, inputs)
    try:
        found: object = from_json(payload, object)
    except msgspec.DecodeError as error:
        raise DataError(f"it is not JSON: {error}", _HINT) from error
    if not isinstance(found, dict) and len(inputs) != 1:
        raise DataError(f"an array for a model with {counted(len(inputs), 'input')}", _HINT)
    named = found if isinstance(found, dict) else {inputs[0].name: found}
    missing = [info.name for info in inputs if info.name not in named]
    if missing:
        raise DataError(f"the input {missing[0]} is missing", _HINT)
    return np.concatenate([_numbers(named[info.name], info) for info in inputs])


def _numbers(value: object, info: TensorInfo) -> Values:
    size = int(np.prod(bundle.sample_shape(info)))
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise DataError(f"the input {info.name} is no array of numbers", _HINT) from error
    if array.dtype.kind not in "iuf":
        raise DataError(f"the input {info.name} is no array of numbers", _HINT)
    if array.size != size:
        raise DataError(
            f"{counted(array.size, 'value')} for the input {info.name}, which takes {size}", _HINT
        )
    return array.astype(np.float64).reshape(-1)


def _raw(payload: bytes, inputs: Sequence[TensorInfo]) -> Values:
    sizes = [int(np.prod(info.shape)) * np.dtype(info.dtype).itemsize for info in inputs]
    if len(payload) != sum(sizes):
        raise DataError(f"{counted(len(payload), 'byte')}, the inputs take {sum(sizes)}", _HINT)
    found, place = [], 0
    for info, size in zip(inputs, sizes, strict=True):
        codes = np.frombuffer(payload[place : place + size], np.dtype(info.dtype).newbyteorder("<"))
        codes = codes.astype(info.dtype).reshape(info.shape)
        found.append(bundle.dequantize(codes, info).astype(np.float64).reshape(-1))
        place += size
    return np.concatenate(found)
