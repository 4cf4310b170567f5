# SPDX-License-Identifier: Apache-2.0
"""What every value of an ONNX model is: its type and shape, and its data where that depends on no input.

onnxruntime runs the model once, as it is written, with all values as outputs. So shapes need no inference of
their own, and constants are what the reference computes.
"""

from __future__ import annotations

import copy
import importlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve import platforms
from tinyserve.convert.frameworks.onnx_import import branches
from tinyserve.convert.frameworks.onnx_import.naming import describe
from tinyserve.convert.frameworks.onnx_import.source import OnnxSource
from tinyserve.errors import ModelError, UnsupportedError

Array = npt.NDArray[Any]
_RANDOM = frozenset(
    ["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"]
)
_LOOPS = frozenset(("Loop", "Scan"))
_INNER = frozenset(("If", "Loop"))
_NEWEST_OPSET = re.compile(r"support for domain ai\.onnx is till opset (\d+)")
_MOST_ELEMENTS = 1 << 26
_MOST_BYTES = 4 << 30  # a few nodes can ask for terabytes
_OF_SHAPES = frozenset(("Shape", "Size"))
_DYNAMIC = frozenset(
    [
        "NonZero",
        "Unique",
        "NonMaxSuppression",
        "Compress",
        "If",
        "SequenceAt",
        "SequenceInsert",
    ]
)


@dataclass(frozen=True)
class Traced:
    """``arrays`` by the values' names, of one run; ``known`` are those that no input changes."""

    arrays: dict[str, Array]
    known: frozenset[str]


def trace(source: OnnxSource) -> Traced:
    """Graphs inside the model whose turns or branches no input changes are put in their place.

    Raises UnsupportedError where shapes depend on data, ModelError where onnxruntime refuses the model."""
    inputs = sample_inputs(source)
    while True:
        known = _known(source.model)
        if not any(node.op_type in _INNER for node in source.model.graph.node):
            break
        first = branches.without_loops(source.model)
        constants = {name: a for name, a in _arrays(first, inputs).items() if name in known}
        if not branches.inline(source.model, constants):
            break
    for node in source.model.graph.node:
        _check(node, known)
    return Traced(_arrays(source.model, inputs), frozenset(known))


def _arrays(model: Any, inputs: dict[str, Array]) -> dict[str, Array]:
    onnx = importlib.import_module("onnx")
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    return {**constants, **run_all(model, inputs)} if model.graph.node else constants


def _known(model: Any) -> set[str]:
    """The values that no input changes."""
    known = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        read = {name for name in node.input if name} | branches.captured(node)
        if node.op_type not in _RANDOM and (node.op_type in _OF_SHAPES or read <= known):
            known.update(node.output)
    return known


def _check(node: Any, known: set[str]) -> None:
    """Raises UnsupportedError for what cannot be imported whatever it computes."""
    if node.op_type in _RANDOM:
        raise UnsupportedError(
            f"{describe(node)} draws random numbers", "export the model for inference (model.eval())"
        )
    if node.op_type in _LOOPS:
        raise UnsupportedError(
            f"{describe(node)} is a loop with a graph of its own",
            "export the model with its loop unrolled, or its recurrent layers as LSTM, GRU or RNN",
        )
    counted = node.op_type == "Compress" and node.input[1] in known
    if (
        node.op_type in _DYNAMIC
        and not counted
        and not known.issuperset(name for name in node.output if name)
    ):
        raise UnsupportedError(
            f"{describe(node)} gives values whose number depends on data, or has a graph of its own",
            "leave such steps to the program around the model, or export it without them",
        )


def sample_inputs(source: OnnxSource) -> dict[str, Array]:
    """Random numbers for floats; zeros and ones for integers, which are valid in most tables."""
    onnx = importlib.import_module("onnx")
    random = np.random.default_rng(0)
    types = {value.name: value.type.tensor_type.elem_type for value in source.model.graph.input}
    made = {}
    for name, shape in zip(source.inputs, source.shapes, strict=True):
        if math.prod(shape) > _MOST_ELEMENTS:
            raise ModelError(
                f"input '{name}' has {math.prod(shape):,} elements, more than any microcontroller holds",
                "export it with an example of the shape that the device sees",
            )
        dtype = onnx.helper.tensor_dtype_to_np_dtype(types[name])
        floats = dtype.kind == "f"
        made[name] = (random.normal(size=shape) if floats else random.integers(0, 2, shape)).astype(dtype)
    return made


def with_all_outputs(model: Any) -> tuple[Any, list[str]]:
    """A copy whose outputs are all values that nodes compute."""
    onnx = importlib.import_module("onnx")
    copied = copy.deepcopy(model)
    names = list(dict.fromkeys(name for node in copied.graph.node for name in node.output if name))
    del copied.graph.output[:]
    copied.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return copied, names


def session_of(model: Any, plain: bool = True) -> Any:
    """onnxruntime on one thread; ``plain``: no operator is changed or fused. Raises ModelError."""
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if plain:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return runtime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:
        newest = _NEWEST_OPSET.search(str(error))
        if newest:
            raise ModelError(
                f"onnxruntime {runtime.__version__} knows operator sets up to {newest[1]}, not the model's",
                f"export it with opset_version={newest[1]}, or upgrade onnxruntime (its current versions may "
                "need a newer Python)",
            ) from error
        raise ModelError(
            f"onnxruntime cannot load the model: {_first(error)}", "export it again, with a current exporter"
        ) from error


def run_all(model: Any, inputs: dict[str, Array]) -> dict[str, Array]:
    """Every value by its name, but for text (the labels of classifiers)."""
    copied, names = with_all_outputs(model)
    session = session_of(copied)
    try:
        with platforms.here().memory_bounded(_MOST_BYTES):
            values = zip(names, session.run(names, inputs), strict=True)
        return {name: value for name, value in values if getattr(value, "dtype", np.dtype("O")) != "O"}
    except Exception as error:
        raise ModelError(
            f"onnxruntime cannot run the model: {_first(error)}",
            "its nodes do not fit together for this shape: give another --input-shape, or export it again",
        ) from error


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0][:300]


def consumers(nodes: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Pairs of a value's name and a node that reads it."""
    for node in nodes:
        for name in node.input:
            if name:
                yield name, node
