# SPDX-License-Identifier: Apache-2.0
"""Compressed weights are decoded when a model is compiled: as TFLM does on the device."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.passes.load import load
from tinyserve.errors import UnsupportedError

UNITS, INPUTS = 6, 40
COMPRESSION = "tflite_micro.tensorflow.lite.micro.compression"


def _header(kind: int, *fields: int) -> np.ndarray[Any, Any]:
    return np.array([kind, 1, 0, 0, 1, *fields, *[0] * (11 - len(fields))], np.uint8)


def _joined(header: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.concatenate([header, np.frombuffer(values.tobytes(), np.uint8)])


def _layer(encoded: np.ndarray[Any, Any], ancillary: np.ndarray[Any, Any], scales: list[float]) -> bytes:
    """A FULLY_CONNECTED layer whose weights, (6, 40), come from TFLM_DECODE."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, INPUTS), "int8", 0.05, 3)
    weights = graph.tensor((UNITS, INPUTS), "int8", scales if len(scales) > 1 else scales[0], 0)
    graph.op("TFLM_DECODE", [graph.constant(encoded), graph.constant(ancillary)], [weights])
    bias = graph.constant(np.arange(UNITS), [0.05 * s for s in scales], dtype="int32")
    y = graph.tensor((1, UNITS), "int8", 0.3, -2)
    graph.op("FULLY_CONNECTED", [x, weights, bias], [y])
    graph.output(y)
    return model.build()


def _plain_layer() -> bytes:
    """A layer of few different weights, not compressed."""
    r = np.random.default_rng(4)
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, INPUTS), "int8", 0.05, 3)
    values = r.integers(-8, 7, (UNITS, INPUTS)).astype(np.int8)
    weights = graph.constant(values, [0.01 + 0.001 * i for i in range(UNITS)], axis=0)
    y = graph.tensor((1, UNITS), "int8", 0.3, -2)
    graph.op("FULLY_CONNECTED", [x, weights, None], [y])
    graph.output(y)
    return model.build()


def _samples() -> list[list[np.ndarray[Any, Any]]]:
    r = np.random.default_rng(1)
    return [[r.integers(-128, 128, (1, INPUTS)).astype(np.int8)] for _ in range(3)]


def _weights(model: bytes) -> np.ndarray[Any, Any]:
    (node,) = load(model).main.nodes
    data = node.input("weights").data
    assert data is not None
    return data


def _packed(indices: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
    bits = indices.reshape(-1, 1) >> np.arange(width)[::-1] & 1
    return np.packbits(bits.astype(np.uint8))


def _tables(width: int, per_channel: bool) -> bytes:
    r = np.random.default_rng(width)
    tables = UNITS if per_channel else 1
    values = r.integers(-127, 128, (tables, 1 << width)).astype(np.int8)
    indices = r.integers(0, 1 << width, (UNITS, INPUTS))
    ancillary = _joined(_header(0, width + (0 if per_channel else 0xF0), 1 << width), values)
    return _layer(_packed(indices, width), ancillary, [0.01] * (UNITS if per_channel else 1))


def _pruned(per_channel: bool) -> bytes:
    r = np.random.default_rng(5)
    mask = r.random((UNITS, INPUTS)) < 0.3
    values = r.integers(-127, 128, int(mask.sum())).astype(np.int8)
    scales = [0.01 + 0.001 * i for i in range(UNITS if per_channel else 1)]
    return _layer(np.packbits(mask), _joined(_header(2), values), scales)


def _huffman(wide: bool) -> bytes:
    """Codes 0, 10, 110 and 111 for four values, in a table of two bits and one of one bit behind it."""
    r = np.random.default_rng(6)
    values, codes = (5, -7, 100, -128), ("0", "10", "110", "111")
    shift = 27 if wide else 11
    found, mask = 1 << shift + 4, 0x7FF
    table = [found | (1 << shift) | 5, found | (1 << shift) | 5, found | (2 << shift) | (-7 & mask),
             (0 << shift) | 1, found | (1 << shift) | 100, found | (1 << shift) | (-128 & mask)]  # fmt: skip
    text = "".join(codes[i] for i in r.integers(0, len(values), UNITS * INPUTS))
    encoded = np.packbits(np.array([int(bit) for bit in text + "0" * (-len(text) % 32)], np.uint8))
    data = np.array(table, np.uint32 if wide else np.uint16)
    return _layer(encoded, _joined(_header(1, 0x10 | wide), data), [0.01])


MODELS = {
    **{f"{width} bits": _tables(width, False) for width in range(1, 8)},
    **{f"{width} bits per channel": _tables(width, True) for width in (1, 2, 3, 4, 5)},
    "pruned": _pruned(False),
    "pruned per channel": _pruned(True),
    "huffman": _huffman(False),
    "huffman with wide tables": _huffman(True),
}


def test_decoded_weights_are_tflm_s(tmp_path: Path) -> None:
    check([Case(name, model, _samples()) for name, model in MODELS.items()], tmp_path, at_least=len(MODELS))
    for model in MODELS.values():
        assert [node.name for node in load(model).main.nodes] == ["FULLY_CONNECTED"]


@pytest.mark.parametrize("axis", [3, 0])
def test_a_table_per_channel_of_a_depthwise_filter(axis: int, tmp_path: Path) -> None:
    """The field that names the last axis was 0 in older files, whose scales name it."""
    r = np.random.default_rng(9)
    values, indices = r.integers(-127, 128, (UNITS, 4)).astype(np.int8), r.integers(0, 4, (1, 3, 3, UNITS))
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 5, 5, UNITS), "int8", 0.05, 3)
    scales = [0.01 + 0.001 * i for i in range(UNITS)]
    weights = graph.tensor((1, 3, 3, UNITS), "int8", scales, axis=3)
    ancillary = graph.constant(_joined(_header(0, 16 * axis + 2, 4), values))
    graph.op("TFLM_DECODE", [graph.constant(_packed(indices, 2)), ancillary], [weights])
    y = graph.tensor((1, 5, 5, UNITS), "int8", 0.1, -2)
    bias = graph.constant(np.arange(UNITS), [0.05 * scale for scale in scales], dtype="int32")
    graph.op("DEPTHWISE_CONV_2D", [x, weights, bias], [y], padding="SAME", stride_h=1, stride_w=1,
             depth_multiplier=1)  # fmt: skip
    graph.output(y)
    samples = [[r.integers(-128, 128, (1, 5, 5, UNITS)).astype(np.int8)] for _ in range(2)]
    check([Case(f"depthwise, axis {axis}", model.build(), samples)], tmp_path, at_least=1)


def test_files_from_before_the_axis_was_written_have_the_scales_axis() -> None:
    r = np.random.default_rng(10)
    values, indices = r.integers(-127, 128, (1, 4)).astype(np.int8), r.integers(0, 4, (UNITS, INPUTS))
    old = _layer(_packed(indices, 2), _joined(_header(0, 0x02, 4), values), [0.01])
    new = _layer(_packed(indices, 2), _joined(_header(0, 0xF2, 4), values), [0.01])
    assert np.array_equal(_weights(old), _weights(new))


def test_what_the_wheel_compresses_is_what_it_was() -> None:
    tools = [importlib.import_module(f"{COMPRESSION}.{name}") for name in ("compress", "spec")]
    plain = _plain_layer()
    index = next(t.index for t in load(plain).main.tensors if t.shape == (UNITS, INPUTS))
    method = tools[1].LookUpTableCompression(4, tools[1].PerChannel(0))
    packed = bytes(tools[0].compress(plain, [tools[1].Tensor(0, index, [method])]))
    assert np.array_equal(_weights(packed), _weights(plain))


@pytest.mark.parametrize(
    ("encoded", "ancillary"),
    [
        (np.zeros(30, np.uint8), _joined(_header(200, 1), np.zeros(4, np.int8))),  # the application's own
        (np.zeros(30, np.uint8), _joined(_header(0, 0xF1, 2), np.zeros(0, np.int8))),  # no table
        (np.zeros(3, np.uint8), _joined(_header(0, 0xF1, 2), np.zeros(2, np.int8))),  # too few indices
        (np.zeros(30, np.uint8), _joined(_header(0, 0x01, 0), np.zeros(2, np.int8))),  # tables of nothing
        (np.full(30, 255, np.uint8), _joined(_header(2), np.zeros(2, np.int8))),  # fewer values than marks
        (np.zeros(8, np.uint8), _joined(_header(1, 0), np.full(2, 1, np.uint16))),  # leads out of its tables
        (np.zeros(8, np.uint8), _joined(_header(1, 0), np.zeros(2, np.uint16))),  # a loop until bits end
        (np.zeros(8, np.uint8), np.zeros(3, np.uint8)),
    ],
)
def test_what_cannot_be_decoded_asks_for_the_file_from_before(encoded: Any, ancillary: Any) -> None:
    with pytest.raises(UnsupportedError) as raised:
        load(_layer(encoded, ancillary, [0.01]))
    assert "TFLM_DECODE" in raised.value.message and "from before they were compressed" in raised.value.hint
