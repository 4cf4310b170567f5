# SPDX-License-Identifier: Apache-2.0
"""What no kernel reads may be anything: models with such fields give the bytes that TFLM gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.compiler.ops.linear import test_conv_2d, test_depthwise_conv_2d, test_fully_connected
from tests.support.differential import Case, check, run_tflm
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError

SEEDS = 3
MAKERS: dict[str, Callable[[int, str], Case]] = {
    "conv": test_conv_2d.random_case,
    "depthwise": test_depthwise_conv_2d.random_case,
    "fully connected": test_fully_connected.random_case,
}
INPUT, WEIGHTS, BIAS = 0, 1, 2


def _set(tensor: schema.TensorT, **fields: object) -> None:
    if tensor.quantization is None:
        tensor.quantization = schema.QuantizationParametersT()
    for name, value in fields.items():
        setattr(tensor.quantization, name, value)


def _scales(tensor: schema.TensorT) -> int:
    return (
        1
        if tensor.quantization is None or tensor.quantization.scale is None
        else len(tensor.quantization.scale)
    )


def _without(tensor: schema.TensorT) -> None:
    tensor.quantization = None


# Of TFLM's person detection: the biases have the axis of the weights.
UNREAD: dict[str, tuple[int, Callable[[schema.TensorT], None]]] = {
    "a bias with an axis that it has not": (BIAS, lambda t: _set(t, quantizedDimension=3)),
    "a bias with a negative axis": (BIAS, lambda t: _set(t, quantizedDimension=-1)),
    "a bias without quantization": (BIAS, _without),
    "a bias with too many scales": (BIAS, lambda t: _set(t, scale=[0.5] * (_scales(t) + 3))),
    "a bias with scales that are no numbers": (BIAS, lambda t: _set(t, scale=[np.nan] * _scales(t))),
    "a bias with a negative scale": (BIAS, lambda t: _set(t, scale=[-1.0] * _scales(t))),
    "a bias with zero points": (BIAS, lambda t: _set(t, zeroPoint=[1 << 40] * _scales(t))),
    "weights along another axis": (WEIGHTS, lambda t: _set(t, quantizedDimension=2)),
    "weights with fewer zero points than scales": (WEIGHTS, lambda t: _set(t, zeroPoint=[0])),
    "weights with more zero points than scales": (
        WEIGHTS,
        lambda t: _set(t, zeroPoint=[0] * (_scales(t) + 2)),
    ),
    "an input with two zero points": (INPUT, lambda t: _set(t, zeroPoint=[t.quantization.zeroPoint[0], 3])),
    "an input with an absurd range": (
        INPUT,
        lambda t: _set(t, min=[np.nan], max=[-1.0], quantizedDimension=9),
    ),
}


def changed(case: Case, index: int, change: Callable[[schema.TensorT], None]) -> Case:
    """The case's model with one tensor of its graph changed."""
    model = schema.ModelT.InitFromPackedBuf(case.model, 0)
    change(model.subgraphs[0].tensors[index])
    builder = flatbuffers.Builder(1 << 14)
    builder.Finish(model.Pack(builder), b"TFL3")
    return Case(case.label, bytes(builder.Output()), case.samples)


def _with_bias(make: Callable[[int, str], Case], dtype: str) -> Iterator[Case]:
    """The first cases whose operator has a bias in the third place."""
    seeds = iter(range(100))
    for _ in range(SEEDS):
        yield next(
            case
            for case in (make(seed, dtype) for seed in seeds)
            if len(load(case.model).main.tensors) == 4
            and load(case.model).main.tensors[BIAS].data is not None
            and not isinstance(run_tflm([case])[0], str)
        )


@pytest.mark.parametrize("what", UNREAD)
def test_fields_that_no_kernel_reads_are_not_looked_at(what: str, tmp_path: Path) -> None:
    index, change = UNREAD[what]
    cases = [
        changed(case, index, change)
        for make in MAKERS.values()
        for dtype in ("int8", "int16")
        for case in _with_bias(make, dtype)
    ]
    check(cases, tmp_path, at_least=len(cases) // 3)  # TFLM wants an axis of as many slices as scales


@pytest.mark.parametrize(
    ("index", "field", "value", "words"),
    [
        (INPUT, "scale", np.nan, "a scale is negative or not a number"),
        (WEIGHTS, "scale", -1.0, "a scale is negative or not a number"),
        (INPUT, "zeroPoint", 300, "a zero point is outside int8"),
    ],
)
def test_what_is_read_must_be_usable(index: int, field: str, value: float, words: str) -> None:
    sound = next(_with_bias(test_conv_2d.random_case, "int8"))
    case = changed(sound, index, lambda tensor: _set(tensor, **{field: [value] * _scales(tensor)}))
    with pytest.raises(ModelError, match=words):
        load(case.model)
