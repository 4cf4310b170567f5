# SPDX-License-Identifier: Apache-2.0
"""The signal operators that cut streams into frames against TFLM, over several inferences.

TFLM leaves an output as it was where there is no whole frame yet: a SELECT_V2 takes zeros there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.generate import Random, case
from tests.support.differential import Case, check
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef

CASES = 105
INFERENCES = 6


def custom(
    graph: GraphBuilder, op: str, inputs: list[TensorRef], outputs: list[TensorRef], **options: Any
) -> None:
    graph.op(op, inputs, outputs, custom_options=bytes(flexbuffers.Dumps(options)) if options else b"")


def where_valid(graph: GraphBuilder, valid: TensorRef, values: TensorRef) -> TensorRef:
    result = graph.tensor(values.shape, "int16")
    graph.op("SELECT_V2", [valid, values, graph.constant(np.zeros(values.shape, np.int16))], [result])
    return result


def window(r: Random, graph: GraphBuilder) -> tuple[TensorRef, list[TensorRef]]:
    length = r.integer(1, 40)
    shape = (*r.choice(((), (2,), (2, 3))), length)
    x, y = graph.input(shape, "int16"), graph.tensor(shape, "int16")
    custom(
        graph, "SignalWindow", [x, graph.constant(r.values((length,), "int16"))], [y], shift=r.integer(8, 16)
    )
    return x, [y]


def fft_auto_scale(r: Random, graph: GraphBuilder) -> tuple[TensorRef, list[TensorRef]]:
    x = graph.input((r.integer(1, 3),), "int16")
    y, bits = graph.tensor(x.shape, "int16"), graph.tensor((), "int32")
    custom(graph, "SignalFftAutoScale", [x], [y, bits])
    return x, [y, bits]


def framer(r: Random, graph: GraphBuilder) -> tuple[TensorRef, list[TensorRef]]:
    rows, step = r.choice(((), (2,), (2, 2))), r.integer(1, 6)
    size, frames = step + r.integer(0, 12), r.choice((1, 1, 2, 3))
    prefill = r.chance(0.5) or frames > 1
    x = graph.input((*rows, frames * step), "int16")
    y, valid = graph.tensor((*rows, frames, size), "int16"), graph.tensor((), "bool")
    custom(graph, "SignalFramer", [x], [y, valid], frame_size=size, frame_step=step, prefill=prefill)
    return x, [where_valid(graph, valid, y), valid]


def stacker(r: Random, graph: GraphBuilder) -> tuple[TensorRef, list[TensorRef]]:
    channels, left, right = r.integer(1, 5), r.integer(0, 3), r.integer(0, 3)
    x = graph.input((channels,), "int16")
    y, valid = graph.tensor((channels * (left + right + 1),), "int16"), graph.tensor((), "bool")
    custom(
        graph, "SignalStacker", [x], [y, valid], num_channels=channels, stacker_left_context=left,
        stacker_right_context=right, stacker_step=r.integer(1, left + right + 1),
    )  # fmt: skip
    return x, [where_valid(graph, valid, y), valid]


def delay(r: Random, graph: GraphBuilder) -> tuple[TensorRef, list[TensorRef]]:
    shape = (*r.choice(((), (2,), (2, 2))), r.integer(1, 8))
    x, y = graph.input(shape, "int16"), graph.tensor(shape, "int16")
    custom(graph, "SignalDelay", [x], [y], delay_length=r.integer(0, 20))
    return x, [y]


def overlap_add(r: Random, graph: GraphBuilder, dtype: str = "int16") -> tuple[TensorRef, list[TensorRef]]:
    rows, frames, size = r.choice(((), (2,), (2, 2))), r.integer(1, 3), r.integer(1, 9)
    step = r.integer(1, size)
    x, y = graph.input((*rows, frames, size), dtype), graph.tensor((*rows, frames * step), dtype)
    custom(graph, "SignalOverlapAdd", [x], [y], T={"int16": 7, "float32": 0}[dtype], frame_step=step)
    return x, [y]


def overlap_add_float(r: Random, graph: GraphBuilder) -> tuple[TensorRef, list[TensorRef]]:
    return overlap_add(r, graph, "float32")


MAKERS = [window, fft_auto_scale, framer, stacker, delay, overlap_add, overlap_add_float]


def random_case(
    index: int, make: Callable[[Random, GraphBuilder], tuple[TensorRef, list[TensorRef]]]
) -> Case:
    r = Random(index, 97)
    made: list[TensorRef] = []

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x, outputs = make(r, graph)
        made.append(x)
        return [x], outputs

    result = case(f"{make.__name__} #{index}", r, build)
    result.samples += [[r.values(made[0].shape, made[0].dtype)] for _ in range(INFERENCES)]
    if make is fft_auto_scale:
        result.samples += [
            [(r.values(made[0].shape, "int16") >> bits).astype(np.int16)] for bits in range(17)
        ]
    return result


@pytest.mark.parametrize("make", MAKERS)
def test_bytes_equal_tflm(
    make: Callable[[Random, GraphBuilder], tuple[TensorRef, list[TensorRef]]], tmp_path: Path
) -> None:
    check([random_case(index, make) for index in range(CASES)], tmp_path, at_least=100)
