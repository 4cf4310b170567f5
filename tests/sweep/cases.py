# SPDX-License-Identifier: Apache-2.0
"""The models of the sweep: each kind of layer that the tests of operators can make, whole graphs, and those
of the directories that TINYSERVE_SWEEP and TINYSERVE_MODELS name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from tests.compiler.ops.elementwise import (
    test_add,
    test_add_n,
    test_cast,
    test_comparison,
    test_div,
    test_maximum,
    test_mul,
    test_prelu,
    test_quantize,
    test_select,
    test_squared_difference,
    test_unary,
)
from tests.compiler.ops.generate import Random
from tests.compiler.ops.linear import (
    test_batch_matmul,
    test_conv_2d,
    test_depthwise_conv_2d,
    test_fully_connected,
    test_transpose_conv,
)
from tests.compiler.ops.movement import (
    test_fill,
    test_gather,
    test_mirror_pad,
    test_pad,
    test_resize,
    test_slice,
    test_space_to_batch_nd,
    test_transpose,
)
from tests.compiler.ops.recurrent import test_svdf, test_unidirectional_sequence_lstm
from tests.compiler.ops.reduction import (
    test_arg_max,
    test_cumsum,
    test_l2_normalization,
    test_log_softmax,
    test_pool_2d,
    test_reduce,
    test_softmax,
)
from tests.compiler.ops.signal import test_rfft
from tests.compiler.variants import layers
from tests.support.differential import Array, Case
from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.graphs.random_graph import random_graph
from tests.support.run_time import computed_weights
from tinyserve.compiler.graph.reader import read

VARIABLES = ("TINYSERVE_SWEEP", "TINYSERVE_MODELS")
"""They name directories of .tflite files: single layers, the MLPerf Tiny models."""
SAMPLES = 3
Make = Callable[[int], Case]
Expected = tuple[Case, list[list[Array]]]
"""A case, and of each sample the outputs."""


def _typed(make: Callable[..., Case], *types: str) -> dict[str, Make]:
    return {kind: (lambda index, kind=kind: make(index, kind)) for kind in types}


def _named(make: Callable[..., Case], names: tuple[str, ...], *types: str) -> dict[str, Make]:
    return {
        f"{name} {kind}": (lambda index, name=name, kind=kind: make(index, name, kind))
        for name in names
        for kind in types
    }


_CASTS = (("int8", "float32"), ("float32", "int8"), ("int16", "int32"), ("int32", "int16"),
          ("int8", "int32"), ("float32", "int32"), ("int32", "float32"))  # fmt: skip
Families = Iterator[tuple[str, dict[str, Make]]]
"""Names of families of layers and the makers of each: by type, by operator and type."""
_THREE = ("int8", "int16", "float32")
_TWO = ("int8", "float32")


def _narrow_conv(index: int) -> Case:
    """3x3 over some channels, padded: rows of taps of different lengths, in a nest that vectorizers like."""
    r = Random(index, 901)
    extent, inputs, outputs, stride = (
        r.integer(7, 10),
        r.choice((3, 5, 8)),
        r.choice((8, 16)),
        r.choice((1, 2)),
    )
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, extent, extent, inputs), "int16", 1e-4)
    scales = [r.scale(0.003, 0.01) for _ in range(outputs)]
    weights = graph.constant(r.values((outputs, 3, 3, inputs), "int8"), scales, axis=0)
    bias = graph.constant(r.rng.integers(-30000, 30000, outputs), [1e-4 * s for s in scales], dtype="int64")
    y = graph.tensor((1, -(-extent // stride), -(-extent // stride), outputs), "int16", 2e-4)
    graph.op("CONV_2D", [x, weights, bias], [y], padding="SAME", stride_h=stride, stride_w=stride)
    graph.output(y)
    return Case(f"narrow conv #{index}", model.build(), r.samples([x]))


def _planes(index: int) -> Case:
    """Depthwise with taps far apart: padded copies of small images, known to the compiler in every size."""
    r = Random(index, 902)
    extent, channels, dilation = r.integer(6, 12), r.choice((8, 20, 24)), r.choice((1, 2, 2, 3))
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, extent, extent, channels), "int8", 0.05, r.zero_point("int8"))
    scales = [r.scale(0.004, 0.02) for _ in range(channels)]
    weights = graph.constant(r.values((1, 3, 3, channels), "int8"), scales, axis=3)
    bias = graph.constant(r.rng.integers(-9000, 9000, channels), [0.05 * s for s in scales], dtype="int32")
    y = graph.tensor((1, extent, extent, channels), "int8", 0.3, r.zero_point("int8"))
    graph.op("DEPTHWISE_CONV_2D", [x, weights, bias], [y], padding="SAME", stride_h=1, stride_w=1,
             dilation_h_factor=dilation, dilation_w_factor=dilation, depth_multiplier=1)  # fmt: skip
    graph.output(y)
    return Case(f"planes #{index}", model.build(), r.samples([x]))


def _runs(index: int, dtype: str) -> Case:
    """PAD whose runs are some vectors and a part of one, beside fills of a few words."""
    r = Random(index, 903)
    rows, images = r.integer(7, 9), r.integer(0, 1)
    columns, channels, behind = r.choice(((6, 12, 1), (9, 4, 2), (9, 12, 1), (6, 4, 1)))
    model = ModelBuilder()
    graph = model.graph()
    quantization = r.quantization(dtype)
    x = graph.input((1, rows, columns, channels), dtype, **quantization)
    paddings = graph.constant(np.array([[images, 0], [0, 1], [0, behind], [0, 0]], np.int32))
    y = graph.tensor((1 + images, rows + 1, columns + behind, channels), dtype, **quantization)
    graph.op("PAD", [x, paddings], [y])
    graph.output(y)
    return Case(f"runs {dtype} #{index}", model.build(), r.samples([x]))


def _weighted() -> Families:
    yield "conv", _typed(test_conv_2d.random_case, *_THREE)
    yield "depthwise", _typed(test_depthwise_conv_2d.random_case, *_THREE)
    yield "fc", _typed(test_fully_connected.random_case, *_THREE)
    yield "tconv", _typed(test_transpose_conv.random_case, *_THREE)
    yield "bmm", _typed(test_batch_matmul.random_case, *_THREE)
    yield "svdf", _typed(test_svdf.random_case, "int8", "int16")
    yield "lstm", _typed(test_unidirectional_sequence_lstm.random_case, *_THREE)
    yield "conv of few channels", {"int16": _narrow_conv}
    yield "depthwise by planes", {"int8": _planes}


def _elementwise() -> Families:
    yield "binary", _named(test_add.random_case, ("ADD", "SUB"), *_THREE)
    yield "mul", _typed(test_mul.random_case, *_THREE)
    yield "squared", _typed(test_squared_difference.random_case, *_TWO)
    yield "extremum", _named(test_maximum.random_case, ("MAXIMUM", "MINIMUM"), *_TWO)
    yield "comparison", _named(test_comparison.random_case, ("LESS", "EQUAL"), *_TWO)
    yield "pool", _named(test_pool_2d.random_case, ("AVERAGE_POOL_2D", "MAX_POOL_2D"), *_THREE)
    yield "reduce", _named(test_reduce.random_case, ("MEAN", "SUM"), *_TWO)
    yield "reduce_max", _named(test_reduce.random_case, ("REDUCE_MAX",), *_TWO)
    yield "softmax", {"int8": lambda i: test_softmax.random_case(i, "int8", "int8"),
                      "int8 to int16": lambda i: test_softmax.random_case(i, "int8", "int16"),
                      "int16": lambda i: test_softmax.random_case(i, "int16", "int16"),
                      "float32": lambda i: test_softmax.random_case(i, "float32", "float32")}  # fmt: skip
    yield "log_softmax", _typed(test_log_softmax.random_case, *_TWO)
    names = ("LOGISTIC", "TANH", "LEAKY_RELU", "HARD_SWISH", "RELU", "RELU6")
    yield "unary", _named(test_unary.random_case, names, "int8")
    yield "unary16", _named(test_unary.random_case, ("LOGISTIC", "TANH", "LEAKY_RELU"), "int16")
    floats = ("ELU", "LOGISTIC", "TANH", "RELU", "EXP", "SQRT", "SIN")
    yield "float", {name: (lambda index, name=name: test_unary.float_case(index, name)) for name in floats}
    yield "prelu", _typed(test_prelu.random_case, *_TWO)


def _moving() -> Families:
    yield "pad by runs", _typed(_runs, *_THREE)
    yield "pad", _named(test_pad.random_case, ("PAD", "PADV2"), *_TWO)
    yield "mirror_pad", _typed(test_mirror_pad.random_case, *_TWO)
    yield "resize", _named(test_resize.random_case, ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), *_TWO)
    yield "gather", _typed(test_gather.random_case, *_TWO)
    yield "select", _typed(test_select.random_case, *_TWO)
    yield "slice", _typed(test_slice.slice_case, *_THREE)
    yield "strided_slice", _typed(test_slice.strided_slice_case, *_THREE)
    yield "split", _typed(test_slice.split_case, *_TWO)
    yield "unpack", _typed(test_slice.unpack_case, *_TWO)
    yield "reverse", _typed(test_slice.reverse_case, *_TWO)
    yield "transpose", _typed(test_transpose.transpose_case, *_THREE)
    yield "blocks", _named(test_transpose.block_case, ("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), *_TWO)
    yield "broadcast", _typed(test_transpose.broadcast_case, *_TWO)
    yield (
        "batches",
        _named(test_space_to_batch_nd.random_case, ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), *_TWO),
    )


def _others() -> Families:
    yield "quantize", {f"{a} to {b}": partial(test_quantize.quantize, source=a, target=b)
                       for a, b in test_quantize.PAIRS}  # fmt: skip
    yield "dequantize", {kind: partial(test_quantize.dequantize, source=kind)
                         for kind in ("int8", "uint8", "int16")}  # fmt: skip
    casts = (("int8", "float32"), ("float32", "int8"), ("int16", "int32"), ("int32", "int16"),
             ("int8", "int32"), ("float32", "int32"), ("int32", "float32"))  # fmt: skip
    yield (
        "cast",
        {f"{a} to {b}": (lambda index, a=a, b=b: test_cast.random_case(index, a, b)) for a, b in casts},
    )
    yield "arg_max", _named(test_arg_max.random_case, ("ARG_MAX", "ARG_MIN"), *_TWO)
    yield "cumsum", _typed(test_cumsum.random_case, *_TWO)
    yield "fill", _named(test_fill.random_case, ("FILL", "ZEROS_LIKE"), *_TWO)
    yield "l2", _typed(test_l2_normalization.random_case, *_TWO)
    yield "add_n", _typed(test_add_n.random_case, *_TWO)
    yield "div", {"int8": test_div.div_s8_case}
    yield "rfft", _named(test_rfft.random_case, ("SignalRfft", "SignalIrfft"), "int16", "float32")
    yield "conv fast", {"int8": layers.conv_case}
    yield "depthwise fast", {"int8": layers.depthwise_case}
    yield "fc fast", {"int8": layers.fully_connected_case}
    yield "add fast", {"int8": layers.add_case}
    yield "computed conv", {"int8": lambda i: computed_weights(test_conv_2d.random_case(i, "int8"), i)}
    yield (
        "computed fc",
        {"int16": lambda i: computed_weights(test_fully_connected.random_case(i, "int16"), i)},
    )
    yield "graph", {"integers": lambda i: random_graph(i, floats=False).case}
    yield "float graph", {"any": lambda i: random_graph(i).case}


FAMILIES: dict[str, Make] = {
    f"{family} {kind}": make
    for family, makers in chain(_weighted(), _elementwise(), _moving(), _others())
    for kind, make in makers.items()
}
"""How to make a case of each kind, by a seed."""


FOUND = (
    "conv of few channels int16",
    "depthwise by planes int8",
    "dequantize int8",
    "pad by runs int8",
    "pad by runs float32",
    "softmax int8 to int16",
    "transpose int8",
)
"""Kinds that a compiler got wrong."""


def made(kind: str, seed: int) -> Case:
    """A case by its kind and seed, its samples cut to a few."""
    case = FAMILIES[kind](seed)
    return Case(f"{kind} #{seed}", case.model, case.samples[:SAMPLES])


def directories() -> list[Path]:
    """The directories of further models, where they are named."""
    return [Path(named) for variable in VARIABLES if (named := os.environ.get(variable))]


def of_file(path: Path) -> Case:
    """A .tflite file with random inputs of its types."""
    data = path.read_bytes()
    r = Random(len(data), 900)
    inputs = read(data).main.inputs
    samples = [
        [np.ascontiguousarray(r.values(tensor.shape, tensor.dtype.numpy.name)) for tensor in inputs]
        for _ in range(SAMPLES)
    ]
    return Case(path.stem, data, samples)
