# SPDX-License-Identifier: Apache-2.0
"""Single layers written in ways that the schema allows and converters seldom take give what TFLM gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tests.support.differential import Case, Tolerance, check
from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder, TensorRef

Array = npt.NDArray[Any]
F32, I8 = "float32", "int8"


class Given(NamedTuple):
    """An input of the model; int8 without a scale has no quantization at all."""

    shape: tuple[int, ...]
    dtype: str = F32
    scale: float | None = None


class Odd(NamedTuple):
    op: str
    operands: Sequence[Given | Array | None]
    output: Given
    options: Mapping[str, Any] | None = MappingProxyType({})
    """None: the operator has no table of options."""


def i32(*values: int) -> Array:
    return np.array(values, np.int32)


def _values(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


ODD = {
    "scalars": Odd("ADD", [Given(()), np.float32(2.5)], Given(())),
    "every axis reduced": Odd("MEAN", [Given((2, 3)), i32(0, 1)], Given(()), {"keep_dims": False}),
    "axes twice": Odd("MEAN", [Given((2, 3, 4)), i32(-1, 1, 2)], Given((2, 1, 1)), {"keep_dims": True}),
    "a scalar axis": Odd("SUM", [Given((2, 3, 4)), np.int32(-1)], Given((2, 3)), {"keep_dims": False}),
    "ADD without options": Odd("ADD", [Given((2, 3)), _values(2, 3)], Given((2, 3)), None),
    "RESHAPE without options": Odd("RESHAPE", [Given((2, 3)), i32(3, 2)], Given((3, 2)), None),
    "a shape in options alone": Odd("RESHAPE", [Given((2, 3))], Given((3, 2)), {"new_shape": [3, -1]}),
    "CONCATENATION without options": Odd(
        "CONCATENATION", [Given((2, 3)), _values(2, 3)], Given((4, 3)), None
    ),
    "six dimensions": Odd("ADD", [Given((1, 2, 1, 2, 1, 3)), _values(2, 1, 1, 3)], Given((1, 2, 2, 2, 1, 3))),
    "a negative axis of five": Odd(
        "CONCATENATION",
        [Given((1, 2, 1, 2, 3), I8, 0.1), Given((1, 2, 1, 2, 3), I8, 0.1)],
        Given((1, 2, 2, 2, 3), I8, 0.1),
        {"axis": -3},
    ),
    "a pack of one": Odd(
        "PACK", [Given((2, 3), I8, 0.1)], Given((2, 1, 3), I8, 0.1), {"axis": -2, "values_count": 1}
    ),
    "a split in one": Odd(
        "SPLIT", [np.int32(-1), Given((2, 3), I8, 0.1)], Given((2, 3), I8, 0.1), {"num_splits": 1}
    ),
    "a vector transposed": Odd("TRANSPOSE", [Given((5,), I8, 0.1), i32(0)], Given((5,), I8, 0.1)),
    "a negative dimension squeezed": Odd(
        "SQUEEZE", [Given((2, 3, 1), I8, 0.1)], Given((2, 3), I8, 0.1), {"squeeze_dims": [-1]}
    ),
    "a dimension behind all": Odd(
        "EXPAND_DIMS", [Given((2, 3), I8, 0.1), i32(-1)], Given((2, 3, 1), I8, 0.1)
    ),
    "softmax of a vector": Odd("SOFTMAX", [Given((4,))], Given((4,)), {"beta": 1.0}),
    "softmax of images": Odd("SOFTMAX", [Given((1, 2, 3, 4))], Given((1, 2, 3, 4)), {"beta": 0.5}),
    "a slice backwards": Odd(
        "STRIDED_SLICE", [Given((2, 5), I8, 0.1), i32(0, -1), i32(2, -6), i32(1, -1)], Given((2, 5), I8, 0.1)
    ),
    "int8 without quantization": Odd(
        "MAXIMUM", [Given((2, 5), I8), np.arange(-2, 3, dtype=np.int8)], Given((2, 5), I8)
    ),
    "a scalar index": Odd("GATHER", [Given((4, 3)), np.int32(2)], Given((3,)), {"axis": 0}),
    "indices per batch": Odd(
        "GATHER",
        [Given((2, 4, 3)), np.array([[0, 3], [1, 1]], np.int32)],
        Given((2, 2, 3)),
        {"axis": 1, "batch_dims": 1},
    ),
    "a pool beyond its image": Odd(
        "AVERAGE_POOL_2D",
        [Given((1, 3, 3, 2), I8, 0.1)],
        Given((1, 1, 1, 2), I8, 0.1),
        {"padding": "SAME", "stride_w": 5, "stride_h": 5, "filter_width": 7, "filter_height": 7},
    ),
    "sums from behind": Odd(
        "CUMSUM", [Given((2, 3)), np.int32(-1)], Given((2, 3)), {"exclusive": True, "reverse": True}
    ),
    "no padding": Odd("PAD", [Given((1, 3), I8, 0.1), np.zeros((2, 2), np.int32)], Given((1, 3), I8, 0.1)),
    "between -1 and 1": Odd(
        "ADD",
        [Given((1, 9)), _values(1, 9)],
        Given((1, 9)),
        {"fused_activation_function": "RELU_N1_TO_1"},
    ),
    "dimensions kept": Odd(
        "FULLY_CONNECTED", [Given((2, 4, 3)), _values(5, 3), None], Given((2, 4, 5)), {"keep_num_dims": True}
    ),
    "dimensions flattened": Odd("FULLY_CONNECTED", [Given((2, 2, 3)), _values(5, 6), None], Given((2, 5))),
}


def _operand(graph: GraphBuilder, given: Given | Array | None) -> TensorRef | None:
    if given is None:
        return None
    if isinstance(given, Given):
        return graph.input(given.shape, given.dtype, given.scale)
    return graph.constant(given)


def _case(name: str, odd: Odd) -> Case:
    model, r = ModelBuilder(), np.random.default_rng(len(name))
    graph = model.graph()
    operands = [_operand(graph, given) for given in odd.operands]
    y = graph.tensor(odd.output.shape, odd.output.dtype, odd.output.scale)
    graph.op(odd.op, operands, [y], **(odd.options or {}))
    if odd.options is None:
        graph.operators[-1].builtinOptions, graph.operators[-1].builtinOptionsType = None, 0
    graph.output(y)
    given = [one for one in odd.operands if isinstance(one, Given)]
    sample: list[Array] = [
        r.integers(-128, 128, one.shape).astype(np.int8)
        if one.dtype == I8
        else np.asarray(r.normal(size=one.shape), np.float32)
        for one in given
    ]
    return Case(name, model.build(), [sample])


def test_odd_layers_give_what_tflm_gives(tmp_path: Path) -> None:
    cases = [_case(name, odd) for name, odd in ODD.items()]
    check(cases, tmp_path, at_least=len(ODD) - 2, tolerance=Tolerance(1e-5, 1e-5))
