# SPDX-License-Identifier: Apache-2.0
"""CIRCULAR_BUFFER against TFLM, whose outputs count at the inferences that are due.

The outputs of buffers are variables: TFLM keeps other tensors by chance only.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.generate import Random
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef
from tests.support.tflm import Tflm
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel

CASES = 110


def buffered(graph: GraphBuilder, x: TensorRef, slots: int, cycles: int) -> TensorRef:
    y = graph.tensor((1, slots, *x.shape[2:]), "int8", scale=0.5, variable=True)
    options = bytes(flexbuffers.Dumps({"cycles_max": cycles}))
    graph.op("CIRCULAR_BUFFER", [x], [y], custom_options=options)
    return y


def largest(graph: GraphBuilder, x: TensorRef) -> TensorRef:
    """The largest of each column, so that the next buffer gets one row."""
    y = graph.tensor((1, 1, *x.shape[2:]), "int8", scale=0.5)
    graph.op(
        "MAX_POOL_2D", [x], [y], padding="VALID", stride_h=1, stride_w=1, filter_height=x.shape[1],
        filter_width=1,
    )  # fmt: skip
    return y


@pytest.mark.parametrize("depth", [1, 3])
def test_every_inference_shifts_one_row_in(depth: int, tmp_path: Path) -> None:
    cases = []
    for index in range(CASES):
        r = Random(index, 105, depth)
        model = ModelBuilder()
        graph = model.graph()
        x = graph.input((1, 1, r.integer(1, 3), depth), "int8", scale=0.5)
        graph.output(largest(graph, buffered(graph, x, r.integer(1, 6), 1)))
        cases.append(Case(f"circular buffer #{index}", model.build(), r.samples([x], 8)))
    check(cases, tmp_path, at_least=100)


@pytest.mark.parametrize("periods", [(2,), (2, 3), (3, 1, 2)])
def test_layers_after_a_buffer_run_when_it_is_due_and_outputs_stay_until_then(
    periods: tuple[int, ...],
) -> None:
    r = Random(len(periods), 106)
    model = ModelBuilder()
    graph = model.graph()
    value = x = graph.input((1, 1, 2, 3), "int8", scale=0.5)
    for period in periods:
        value = largest(graph, buffered(graph, value, r.integer(2, 4), period))
    graph.output(value)
    every = math.prod(periods)
    before = np.zeros(value.shape, np.int8)
    tflm, host = Tflm(model.build()), HostModel(compile_model(model.build()))
    for inference in range(1, 6 * every + 1):
        sample = [r.values(x.shape, "int8")]
        tflm.invoke(sample)
        now = host.run(sample)[0]
        expected = tflm.output(0) if inference % every == 0 else before
        assert now.tolist() == expected.tolist(), f"inference {inference}"
        before = now
