# SPDX-License-Identifier: Apache-2.0
"""Sums in 16 bits reach as far as their values do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert.quantize import quantizer, sums
from tinyserve.convert.worker import runtimes
from tinyserve.convert.worker.messages import Quantize

_SHAPE = (1, 5, 24)


def _sum(axes: list[int]) -> bytes:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input(_SHAPE, "float32", name="x"), graph.tensor((1, 5, 1), "float32", name="y")
    graph.op("SUM", [x, graph.constant(np.array(axes, np.int32))], [y], keep_dims=True)
    graph.output(y)
    return model.build()


def test_a_sum_is_a_mean_times_the_number_of_values() -> None:
    data = sums.as_means(_sum([-1]))
    assert [node.name for node in read(data).main.nodes] == ["MEAN", "MUL"]
    x = np.random.default_rng(1).normal(size=_SHAPE).astype(np.float32)
    (got,) = runtimes.runner("litert", data)([x])
    np.testing.assert_allclose(got, x.sum(-1, keepdims=True), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_its_integers_are_not_cut_off(tmp_path: Path) -> None:
    """All values of a row have one sign: the sums are twenty-four times as great."""
    draw = np.random.default_rng(2)
    samples = (draw.uniform(0.5, 1, (40, *_SHAPE)) * draw.choice([-1, 1], (40, 1, 5, 1))).astype(np.float32)
    (tmp_path / "m.tflite").write_bytes(_sum([2]))
    request = Quantize(tmp_path / "m.tflite", tmp_path / "q", tmp_path / "s", "int16x8")
    made = quantizer.quantize(request, [samples[:, 0]], lambda *_: None)
    given, taken = read(made).main.inputs[0], read(made).main.outputs[0]
    run, errors, size = HostModel(compile_model(made)).run, 0.0, 0.0
    for sample in samples:
        (got,) = run([np.round(sample / given.scale).clip(-32768, 32767).astype(np.int16)])
        wanted = sample.sum(-1, keepdims=True)
        errors += float(np.square(got.reshape(wanted.shape) * taken.scale - wanted).sum())
        size += float(np.square(wanted).sum())
    assert 10 * np.log10(size / errors) > 50
