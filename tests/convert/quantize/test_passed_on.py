# SPDX-License-Identifier: Apache-2.0
"""Moved values have a scale that keeps what else is read of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tinyserve.compiler.graph import objects
from tinyserve.convert import convert
from tinyserve.convert.quantize.passed_on import held

_INPUT = (1, 8, 8, 2)
_CHANNELS = 4


def _convolved(graph: GraphBuilder) -> TensorRef:
    random = np.random.default_rng(0)
    x = graph.input(_INPUT, "float32", name="x")
    y = graph.tensor((1, 8, 8, _CHANNELS), "float32", name="y")
    weights = random.normal(0, 0.4, (_CHANNELS, 3, 3, 2)).astype(np.float32)
    constants = [graph.constant(weights), graph.constant(np.zeros(_CHANNELS, np.float32))]
    graph.op("CONV_2D", [x, *constants], [y], padding="SAME", stride_h=1, stride_w=1)
    return y


def _joined(graph: GraphBuilder, source: TensorRef, shape: tuple[int, ...]) -> TensorRef:
    """The first two rows side by side, as a convolution over depth has its slices."""
    parts = [graph.tensor((1, 1, *shape[2:]), "float32") for _ in range(2)]
    for row, part in enumerate(parts):
        places = [np.array([0, row, 0, 0], np.int32), np.array([1, 1, *shape[2:]], np.int32)]
        graph.op("SLICE", [source, *map(graph.constant, places)], [part])
    joined = graph.tensor((1, 1, shape[2], 2 * shape[3]), "float32", name="joined")
    graph.op("CONCATENATION", parts, [joined], axis=3)
    return joined


def means_joined() -> bytes:
    """A convolution, means of its values, and rows of these side by side."""
    builder = ModelBuilder()
    graph = builder.graph()
    means = graph.tensor((1, 2, 2, _CHANNELS), "float32", name="means")
    options = {"padding": "VALID", "stride_h": 4, "stride_w": 4, "filter_height": 4, "filter_width": 4}
    graph.op("AVERAGE_POOL_2D", [_convolved(graph)], [means], **options)
    graph.output(_joined(graph, means, (1, 2, 2, _CHANNELS)))
    return builder.build()


def leaky_by_maximum() -> bytes:
    """max(y, 0.1 y): y lies lower than what comes out, and is read twice."""
    builder = ModelBuilder()
    graph = builder.graph()
    y = _convolved(graph)
    tenth, largest = (
        graph.tensor((1, 8, 8, _CHANNELS), "float32", name=name) for name in ("tenth", "largest")
    )
    graph.op("MUL", [y, graph.constant(np.array(0.1, np.float32))], [tenth])
    graph.op("MAXIMUM", [y, tenth], [largest])
    graph.output(largest)
    return builder.build()


def part_and_whole() -> bytes:
    """The first rows of a convolution's result side by side; all of it is an output, too."""
    builder = ModelBuilder()
    graph = builder.graph()
    y = _convolved(graph)
    graph.output(y)
    graph.output(_joined(graph, y, (1, 8, 8, _CHANNELS)))
    return builder.build()


MODELS = {made.__name__: made for made in (means_joined, leaky_by_maximum, part_and_whole)}


def _calibrated(data: bytes, ranges: dict[str, tuple[float, float]]) -> bytes:
    """All tensors within ±1, and these by their names."""
    model = objects.unpack(data)
    for tensor in model.subgraphs[0].tensors:
        if not objects.is_constant(model, tensor):
            low, high = ranges.get(objects.text(tensor.name), (-1.0, 1.0))
            tensor.quantization = objects.module().QuantizationParametersT()
            tensor.quantization.min, tensor.quantization.max = [low], [high]
    return objects.pack(model)


def _range(data: bytes, name: str) -> tuple[float, float]:
    (tensor,) = (t for t in objects.unpack(data).subgraphs[0].tensors if objects.text(t.name) == name)
    return float(tensor.quantization.min[0]), float(tensor.quantization.max[0])


@pytest.mark.parametrize("name", MODELS)
def test_what_is_read_of_a_convolution_stays_within_its_range(name: str) -> None:
    data = held(_calibrated(MODELS[name](), {"y": (-6.0, 4.0)}))
    assert _range(data, "largest" if name == "leaky_by_maximum" else "joined") == (-6.0, 4.0)
    assert _range(data, "x") == (-1.0, 1.0)
    assert held(data) is data


def test_a_part_that_alone_is_read_keeps_its_range() -> None:
    """What is cut off beyond it, nothing reads."""
    builder = ModelBuilder()
    graph = builder.graph()
    y = _convolved(graph)
    row = graph.tensor((1, 1, 8, _CHANNELS), "float32", name="row")
    places = [np.array([0, 2, 0, 0], np.int32), np.array([1, 1, 8, _CHANNELS], np.int32)]
    graph.op("SLICE", [y, *map(graph.constant, places)], [row])
    graph.output(row)
    data = _calibrated(builder.build(), {"y": (-6.0, 4.0)})
    assert held(data) is data


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_int8_is_as_good_as_its_steps(name: str, tmp_path: Path) -> None:
    """The first rows hold small values, and others are cut off at their range."""
    (tmp_path / "m.tflite").write_bytes(MODELS[name]())
    x = np.random.default_rng(3).normal(size=(60, *_INPUT[1:])) * np.linspace(0.1, 1, 8)[:, None, None]
    np.savez(tmp_path / "d.npz", x=x.astype(np.float32))
    made = convert(tmp_path / "m.tflite", representative=tmp_path / "d.npz", output=tmp_path / "out")
    assert all(one.sqnr_db is not None and one.sqnr_db > 25 for one in made.manifest.accuracy)
