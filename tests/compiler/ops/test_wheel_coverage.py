# SPDX-License-Identifier: Apache-2.0
"""What TFLM runs, the compiler takes: every operator with every element type, but for what
``tinyserve.compiler.tflm.exceptions`` lists.

Each operator's model is one of its differential test's, retyped. TFLM checks few types in a build without
assertions, so some of what it runs is no computation at all: those are the exceptions.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.compiler.ops.generate import case as case_of
from tests.compiler.ops.test_declarations import cases_of, modules
from tests.support.differential import Case, run_tflm
from tests.support.flatbuffer_builder import GraphBuilder, TensorRef
from tests.support.retype import Types, retyped, value_type
from tinyserve.compiler.graph import reader
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.tflm import exceptions
from tinyserve.errors import ModelError, UnsupportedError

TYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool", "float32")
WEIGHTED = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
}
"""Where weights and bias stand."""
BIASES = {"int16": ("int16", "int32", "int64"), "float32": ("float32",)}  # else int32
OWN_TYPES = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF")
"""Each of their tensors has a type of its own; their own tests have the combinations that there are."""
SCALES = {"int8": (1 / 128, 0.25), "int16": (1 / 32768, 0.01), "uint8": (0.05,)}


def bases() -> dict[str, Case]:
    """One model per operator, of int8 where it has that, with a bias where it takes one."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        cases = [case for module in modules() for case in cases_of(module, monkeypatch)]
    found: dict[str, tuple[tuple[bool, int], Case]] = {}
    for case in cases:
        model = reader.read(case.model)
        *others, operator = model.main.nodes
        if len(model.graphs) > 1 or operator.name in OWN_TYPES or any(o.name != "RESHAPE" for o in others):
            continue
        rank = (value_type(case) == "int8", sum(tensor is not None for tensor in operator.inputs))
        if operator.name not in found or rank > found[operator.name][0]:
            found[operator.name] = (rank, case)
    return {name: case for name, (_, case) in sorted(found.items())}


def variants(name: str, base: Case) -> Iterator[Case]:
    """The model with every type of values, weights and bias."""
    weights, bias = WEIGHTED.get(name, (None, None))
    for values in TYPES:
        kinds = [Types(values)]
        if name in WEIGHTED:
            forms = dict.fromkeys(("int8", "int4", values))
            kinds = [Types(values, form, of) for form in forms for of in BIASES.get(values, ("int32",))]
        for types in kinds:
            for scale in SCALES.get(values, (1.0,)):
                yield retyped(base, types, scale=scale, weights=weights, bias=bias)


def why_not(case: Case) -> ModelError | None:
    """Why the compiler does not take the case."""
    try:
        load(case.model)
    except ModelError as error:
        return error
    return None


def test_every_type_that_tflm_runs_compiles() -> None:
    refusals: dict[str, list[ModelError]] = defaultdict(list)
    compiled = set()
    for name, base in bases().items():
        for case in variants(name, base):
            key, error = f"{name}: {case.label}", why_not(case)
            if error is None:
                compiled.add(key)
            elif not isinstance(run_tflm([case])[0], str):
                refusals[key].append(error)
    expected = {
        f"{op}: {what}" for refusal in exceptions.TYPES for op in refusal.operators for what in refusal.what
    }
    assert refusals.keys() - compiled == expected
    for error in itertools.chain.from_iterable(refusals.values()):
        assert isinstance(error, UnsupportedError)
        assert "--engine tflm" not in error.hint


@pytest.mark.parametrize("op", ["CAST", "QUANTIZE", "DEQUANTIZE"])
def test_every_conversion_that_tflm_runs_compiles(op: str) -> None:
    ran = 0
    for source, target in itertools.product(TYPES, TYPES):
        case = conversion(op, source, target)
        if not isinstance(run_tflm([case])[0], str):
            ran += 1
            error = why_not(case)
            assert error is None, f"{op} from {source} to {target}: {error}"
    assert ran >= 3


def conversion(op: str, source: str, target: str) -> Case:
    def quantization(kind: str) -> dict[str, Any]:
        return {} if op == "CAST" or kind in ("float32", "bool") else {"scale": 0.5}

    def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x, y = (
            graph.input((4,), source, **quantization(source)),
            graph.tensor((4,), target, **quantization(target)),
        )
        graph.op(op, [x], [y])
        return [x], [y]

    return case_of(op, Random(1), build)


def wrong_in_tflm() -> dict[str, Case]:
    """Models that TFLM runs, though not as the format has it."""

    def build_add(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        inputs, y = [graph.input((4,), "int32") for _ in range(2)], graph.tensor((4,), "int32")
        graph.op("ADD", inputs, [y], activation="RELU")
        return inputs, [y]

    def slice_with(**option: Any) -> Callable[[GraphBuilder], tuple[list[TensorRef], list[TensorRef]]]:
        def build(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
            x, y = graph.input((3, 4), "int8"), graph.tensor((2, 2), "int8")
            edges = [graph.constant(np.array(edge, np.int32)) for edge in ([0, 1], [2, 3], [1, 1])]
            graph.op("STRIDED_SLICE", [x, *edges], [y], **option)
            return [x], [y]

        return build

    def build_norm(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        x, y = graph.input((2, 4), "int8", scale=0.1), graph.tensor((2, 4), "int8", scale=0.1)
        graph.op("L2_NORMALIZATION", [x], [y])
        return [x], [y]

    def build_concatenation(graph: GraphBuilder) -> tuple[list[TensorRef], list[TensorRef]]:
        inputs = [graph.input((2,), "int16", scale=scale) for scale in (0.1, 0.2)]
        y = graph.tensor((4,), "int16", scale=0.1)
        graph.op("CONCATENATION", inputs, [y], axis=0)
        return inputs, [y]

    builders = {
        "the activation is left out": build_add,
        "the ellipsis is overlooked": slice_with(ellipsis_mask=1),
        "the offset is overlooked": slice_with(offset=True),
        "the output's scale is overlooked": build_norm,
        "the inputs' scales are overlooked": build_concatenation,
    }
    return {name: case_of(name, Random(2), build) for name, build in builders.items()}


@pytest.mark.parametrize("what", sorted(wrong_in_tflm()))
def test_what_tflm_computes_wrong_is_refused_and_named(what: str) -> None:
    case = wrong_in_tflm()[what]
    assert not isinstance(run_tflm([case])[0], str)
    with pytest.raises(UnsupportedError) as caught:
        load(case.model)
    assert "--engine tflm" not in caught.value.hint
