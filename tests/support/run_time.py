# SPDX-License-Identifier: Apache-2.0
"""Turns constants of a test's model into inputs, and back: the same generators make cases of run-time
operands, and of constant ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tests.support.differential import Case, run_c
from tinyserve.compiler.lower import lower
from tinyserve.compiler.passes import load
from tinyserve.compiler.program import PORTABLE

Array = npt.NDArray[Any]
_NUMPY = {value: name.lower() for name, value in vars(schema.TensorType).items() if not name.startswith("_")}


def at_run_time(
    case: Case,
    operands: Sequence[int],
    vary: Callable[[int, Array], Array] | None = None,
    operator: int = -1,
) -> Case:
    """The case with these inputs of an operator, its last one, given at run time, where they are constants.

    Each sample gives the constant's value, or what ``vary(operand, value)`` makes of it.
    """
    model = schema.ModelT.InitFromPackedBuf(case.model, 0)
    (graph,) = model.subgraphs
    inputs = graph.operators[operator].inputs
    samples = [list(sample) for sample in case.samples]
    for index in (index for index in operands if index < len(inputs)):
        number = int(inputs[index])
        tensor = graph.tensors[number] if number >= 0 else None
        if tensor is None or not tensor.buffer:
            continue
        raw = bytes(model.buffers[tensor.buffer].data)
        value = np.frombuffer(raw, _NUMPY[tensor.type]).reshape([int(extent) for extent in tensor.shape])
        tensor.buffer = 0
        graph.inputs = [*graph.inputs, number]
        for sample in samples:
            sample.append(value if vary is None else vary(index, value))
    return Case(f"{case.label}, {list(operands)} at run time", _packed(model), samples)


def without_inputs(case: Case) -> bytes:
    """The case's model with the first sample's values as constants in place of its inputs."""
    model = schema.ModelT.InitFromPackedBuf(case.model, 0)
    (graph,) = model.subgraphs
    for number, value in zip(graph.inputs, case.samples[0], strict=True):
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        model.buffers.append(buffer)
        graph.tensors[number].buffer = len(model.buffers) - 1
    graph.inputs = []
    return _packed(model)


def _packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def computed_weights(case: Case, index: int, *, weights: int = 1, bias: int = 2) -> Case:
    """The case with weights, bias or both given at run time, other ones in each sample."""
    rng = np.random.default_rng(index)

    def draw(operand: int, value: Array) -> Array:
        if value.dtype.kind == "f":
            return rng.normal(size=value.shape).astype(value.dtype)
        low, high = (-128, 127) if operand == weights else (-(10**5), 10**5)
        return rng.integers(low, high + 1, value.shape).astype(value.dtype)

    return at_run_time(case, ((weights,), (bias,), (weights, bias))[index % 3], draw)


def outputs_of(cases: Sequence[Case], directory: Path) -> list[list[Array]]:
    """Per case the first output of each sample in our C, which the sanitizers watch, without TFLM."""
    programs = [(lower(load(case.model), PORTABLE, "case"), case.samples) for case in cases]
    return [[run.outputs[0] for run in runs] for runs in run_c(programs, directory)]
