# SPDX-License-Identifier: Apache-2.0
"""TFLM_DECODE, TFLM's operator for compressed weights: an encoded tensor and its ancillary data per output.

Ancillary data begin with 16 bytes: the kind of encoding, the version, and from byte 4 on what the kind needs.
Kinds: 0 look-up tables, 1 Huffman codes with tables of several levels, 2 pruning (a mask and the values that
are left). Source: the comments of ``compression/decode.py`` and the kernels ``decode_state_*`` of
tflite-micro. Compressed weights are constants, so they are decoded when the model is compiled.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node, Tensor
from tinyserve.compiler.passes.evaluate_arithmetic import Array

OPERATOR = "TFLM_DECODE"
_HEADER = 16
_ONE_TABLE = 15  # in place of an axis
Bytes = npt.NDArray[np.uint8]


def decode(node: Node, *inputs: Array) -> list[Array]:
    """Raises ValueError or IndexError for an encoding that is unknown or contradicts itself."""
    if len(inputs) != 2 * len(node.outputs):
        raise ValueError("an encoded tensor and its ancillary data per output")
    encoded_inputs, ancillary_inputs = inputs[::2], inputs[1::2]
    pairs = zip(encoded_inputs, ancillary_inputs, node.outputs, strict=True)
    return [_decoded(_bytes(encoded), _bytes(ancillary), output) for encoded, ancillary, output in pairs]


def _bytes(values: Array) -> Bytes:
    return np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)


def _decoded(encoded: Bytes, ancillary: Bytes, output: Tensor) -> Array:
    kind, version = int(ancillary[0]), int(ancillary[1])
    if version != 1 or int(ancillary[4]) != 1 or kind not in _KINDS:
        raise ValueError("unknown encoding")
    return _KINDS[kind](encoded, ancillary, output).reshape(output.shape)


def _looked_up(encoded: Bytes, ancillary: Bytes, output: Tensor) -> Array:
    """Indices of 1 to 7 bits, the first in the highest bits, into a table per channel or into one."""
    width, axis, stride = int(ancillary[5]) & 7, int(ancillary[5]) >> 4, int(ancillary[6])
    bits = np.unpackbits(encoded)[: output.elements * width].reshape(output.elements, width)
    indices = (bits @ (1 << np.arange(width)[::-1])).reshape(output.shape)
    table = _values(ancillary, output)
    channel_axis = _table_axis(axis, len(table) // stride, output)
    if channel_axis is None:
        return table[indices]
    offsets = stride * np.arange(output.shape[channel_axis])
    shape = [-1 if place == channel_axis else 1 for place in range(len(output.shape))]
    return table[indices + offsets.reshape(shape)]


def _table_axis(axis: int, tables: int, output: Tensor) -> int | None:
    """The axis of the output with a table per slice. Files from before the field was defined say 0: theirs is
    the axis of the output's scales."""
    if axis == _ONE_TABLE or (axis == 0 and tables == 1):
        return None
    if axis == 0 and output.quantization is not None and output.quantization.per_channel:
        axis = output.quantization.axis
    if tables < output.shape[axis]:
        raise ValueError("fewer tables than channels")
    return axis


def _unpruned(encoded: Bytes, ancillary: Bytes, output: Tensor) -> Array:
    """A bit per element, the first the highest: set where a value is, else the value is real zero."""
    given = np.unpackbits(encoded)[: output.elements].reshape(output.shape).astype(bool)
    zeros, quantization = np.zeros(output.shape, output.dtype.numpy), output.quantization
    if quantization is not None and output.dtype is DType.INT8:
        shape = [1] * len(output.shape)
        if quantization.per_channel:
            shape[quantization.axis] = -1
        zeros = zeros + np.array(quantization.zero_points, np.int8).reshape(shape)
    zeros[given] = _values(ancillary, output)[: int(given.sum())]
    return zeros


def _values(ancillary: Bytes, output: Tensor) -> Array:
    data, type = ancillary[_HEADER:].tobytes(), np.dtype(output.dtype.numpy)
    return np.frombuffer(data[: len(data) // type.itemsize * type.itemsize], type)


class _Bits:
    """A string of bits from the highest of the first byte on, followed by zeros."""

    def __init__(self, data: Bytes) -> None:
        self._data = data.tobytes() + bytes(8)
        self._at = 0

    def take(self, count: int) -> int:
        first, last = self._at // 8, (self._at + count + 7) // 8
        if last > len(self._data):
            raise ValueError("the codes end before the values do")
        window = int.from_bytes(self._data[first:last], "big")
        self._at += count
        return window >> (8 * last - self._at) & ((1 << count) - 1)

    def put_back(self, count: int) -> None:
        self._at -= count


def _huffman(encoded: Bytes, ancillary: Bytes, output: Tensor) -> Array:
    """Codes that are looked up in tables of several levels.

    An entry: a mark whether it holds a symbol, 4 bits, and the symbol or the distance of the next table. The
    4 bits: of a symbol, how many of the bits that were taken belong to it; else how many bits the next table
    takes, less one.
    """
    wide = bool(ancillary[5] & 1)
    if output.dtype not in ((DType.INT8, DType.INT16) if wide else (DType.INT8,)):
        raise ValueError(f"no Huffman codes for {output.dtype.value}")
    tables = ancillary[_HEADER:].tobytes()
    size, type = (4, "<u4") if wide else (2, "<u2")
    entries = np.frombuffer(tables[: len(tables) // size * size], type).tolist()
    value_bits = 8 * size - 5
    bits, first_bits = _Bits(encoded), (int(ancillary[5]) >> 4) + 1
    symbols = [_symbol(bits, entries, first_bits, value_bits) for _ in range(output.elements)]
    mask = (1 << 8 * output.dtype.itemsize) - 1
    return np.array([symbol & mask for symbol in symbols], f"<u{output.dtype.itemsize}").view(
        output.dtype.numpy
    )


def _symbol(bits: _Bits, entries: list[int], first_bits: int, value_bits: int) -> int:
    taken, at = first_bits, 0
    while True:
        at += bits.take(taken)
        entry = entries[at]
        count, value = entry >> value_bits & 15, entry & ((1 << value_bits) - 1)
        if entry >> (value_bits + 4):
            bits.put_back(max(0, taken - count))
            return value
        taken, at = count + 1, at + value


_KINDS: dict[int, Callable[[Bytes, Bytes, Tensor], Array]] = {0: _looked_up, 1: _huffman, 2: _unpruned}
