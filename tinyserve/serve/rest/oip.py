# SPDX-License-Identifier: Apache-2.0
"""Bodies of the Open Inference Protocol's REST form, with the binary tensor data extension.

A body is JSON; with the header Inference-Header-Content-Length it is that many bytes of JSON, then the
tensors' bytes one after the other, in the order of the inputs that say binary_data_size.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from tinyserve.serve.errors import RequestError
from tinyserve.serve.request import Array, InferAnswer, InferRequest, Wanted
from tinyserve.serve.served import DATATYPES, Served
from tinyserve.serve.tensors import Asked, Given, Parameter, check_datatype, classes_of, to_request

HEADER_LENGTH = "inference-header-content-length"
Parameters = dict[str, Parameter]


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters = {}
    data: Any = msgspec.UNSET


class _Output(msgspec.Struct):
    name: str
    parameters: Parameters = {}


class InferBody(msgspec.Struct):
    """A request as JSON has it."""

    inputs: list[_Input]
    id: str = ""
    parameters: Parameters = {}
    outputs: list[_Output] = []


_DECODER = msgspec.json.Decoder(InferBody)
_ENCODER = msgspec.json.Encoder()


def decode(
    body: bytes, header_length: str | None, version: str, model: Served
) -> tuple[InferRequest, InferBody]:
    """The request of a body. Raises RequestError where it is malformed or does not match the model."""
    head, tail = _split(body, header_length)
    parsed = _parse(head)
    tensors = _tensors(parsed.inputs, tail)
    asked = Asked(
        model=model.name,
        version=version,
        id=parsed.id,
        parameters=parsed.parameters,
        wanted=_wanted(parsed, model),
    )
    return to_request(asked, tensors, model), parsed


def _split(body: bytes, header_length: str | None) -> tuple[memoryview, memoryview]:
    view = memoryview(body)
    if header_length is None:
        return view, view[len(view) :]
    if not (header_length.isascii() and header_length.isdecimal() and len(header_length) < 16):
        raise RequestError(f"{HEADER_LENGTH}: {header_length[:40]!r} is no length")
    length = int(header_length)
    if length > len(body):
        raise RequestError(f"{HEADER_LENGTH} is {length}, the body has {len(body)} bytes")
    return view[:length], view[length:]


def _parse(head: memoryview) -> InferBody:
    try:
        return _DECODER.decode(head)
    except msgspec.ValidationError as error:
        raise RequestError(f"the request is no inference request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"the request is not JSON: {error}") from error


def _tensors(inputs: list[_Input], tail: memoryview) -> list[Given]:
    found = []
    place = 0
    for one in inputs:
        check_datatype(one.name, one.datatype)
        if "shared_memory_region" in one.parameters:
            raise RequestError(f"input {one.name[:80]}: shared memory is not supported", "send its data")
        size = one.parameters.get("binary_data_size")
        values: Any = one.data
        if size is not None:
            if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(tail) - place:
                left = len(tail) - place
                raise RequestError(
                    f"input {one.name[:80]}: binary_data_size {str(size)[:40]}, {left} bytes are left"
                )
            if values is not msgspec.UNSET:
                raise RequestError(f"input {one.name[:80]} has both data and binary_data_size", "send one")
            values = tail[place : place + size]
            place += size
        elif values is msgspec.UNSET:
            raise RequestError(f"input {one.name[:80]} has no data")
        found.append(Given(one.name, one.datatype, tuple(one.shape), values))
    if place != len(tail):
        raise RequestError(f"{len(tail) - place} bytes are left behind the last tensor")
    return found


def _wanted(parsed: InferBody, model: Served) -> tuple[Wanted, ...]:
    default = parsed.parameters.get("binary_data_output", False)
    if not parsed.outputs:
        return tuple(Wanted(name, binary=default is True) for name in model.output_names)
    found = []
    for one in parsed.outputs:
        classes = classes_of(one.name, one.parameters)
        found.append(Wanted(one.name, classes, one.parameters.get("binary_data", default) is True))
    return tuple(found)


def encode(answer: InferAnswer, request: InferRequest, parsed: InferBody) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON where tensors' bytes follow it."""
    binary = {one.name: one.binary for one in request.wanted}
    default = parsed.parameters.get("binary_data_output") is True
    outputs: list[dict[str, object]] = []
    tail: list[bytes] = []
    for name, array in answer.outputs.items():
        entry: dict[str, object] = {"name": name, "datatype": datatype(array), "shape": list(array.shape)}
        if binary.get(name, default):
            raw = to_bytes(array)
            tail.append(raw)
            entry["parameters"] = {"binary_data_size": len(raw)}
        else:
            entry["data"] = _plain(array)
        outputs.append(entry)
    said: dict[str, object] = {"model_name": answer.model, "model_version": answer.version}
    if request.id:
        said["id"] = request.id
    head = _ENCODER.encode({**said, "parameters": answer.facts(), "outputs": outputs})
    return (b"".join([head, *tail]), len(head)) if tail else (head, None)


def datatype(array: Array) -> str:
    """The protocol's name of an array's type."""
    return "BYTES" if array.dtype == object else DATATYPES[array.dtype.name]


def to_bytes(array: Array) -> bytes:
    """Row by row, little-endian; strings each behind its length in four bytes."""
    if array.dtype == object:
        return b"".join(struct.pack("<I", len(value)) + value for value in array.ravel())
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _plain(array: Array) -> list[object]:
    flat: list[object] = array.ravel().tolist()
    return [value.decode() for value in flat if isinstance(value, bytes)] if array.dtype == object else flat


def metadata(model: Served) -> dict[str, object]:
    """The model's metadata: inputs and outputs; -1 stands for as many samples as one likes."""
    labels: list[dict[str, object]] = []
    if model.label_output:
        labels.append(
            {"name": model.label_output, "datatype": "BYTES", "shape": [-1, 1] if model.batches else [1]}
        )
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": "tinyserve",
        "inputs": [_tensor(info.name, info.dtype, shape(info.shape, model)) for info in model.inputs],
        "outputs": [_tensor(info.name, info.dtype, shape(info.shape, model)) for info in model.outputs]
        + labels,
        "parameters": {"sha256": model.sha256, "stateful": model.stateful},
    }


def shape(given: list[int], model: Served) -> list[int]:
    """A tensor's shape as clients may send it."""
    return [-1, *given[1:]] if model.batches else list(given)


def _tensor(name: str, dtype: str, shape: list[int]) -> dict[str, object]:
    return {"name": name, "datatype": DATATYPES[dtype], "shape": shape}
