# SPDX-License-Identifier: Apache-2.0
"""Operators that TFLM lacks, or lacks for a type, beside LiteRT's reference kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel

Array = npt.NDArray[Any]
Build = Callable[[GraphBuilder, np.random.Generator], list[Array]]


def interpreter(data: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    made = Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    made.allocate_tensors()
    return made


def litert(data: bytes, inputs: list[Array]) -> list[Array]:
    made = interpreter(data)
    for detail, value in zip(made.get_input_details(), inputs, strict=True):
        made.set_tensor(detail["index"], value)
    made.invoke()
    return [made.get_tensor(detail["index"]) for detail in made.get_output_details()]


def tile(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    dtype = str(rng.choice(["int8", "float32", "int32"]))
    shape = tuple(int(e) for e in rng.integers(1, 4, rng.integers(1, 4)))
    times = rng.integers(1, 4, len(shape)).astype(np.int32)
    quantization = {"scale": 0.5, "zero_point": 3} if dtype == "int8" else {}
    x = graph.input(shape, dtype, **quantization)
    y = graph.tensor(tuple(np.multiply(shape, times).tolist()), dtype, **quantization)
    graph.op("TILE", [x, graph.constant(times)], [y])
    graph.output(y)
    return [rng.integers(-100, 100, shape).astype(dtype)]


def select(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    shape = tuple(int(e) for e in rng.integers(1, 4, rng.integers(1, 4)))
    condition = shape if rng.random() < 0.5 else shape[:1]
    inputs = [graph.input(condition, "bool"), graph.input(shape, "float32"), graph.input(shape, "float32")]
    y = graph.tensor(shape, "float32")
    graph.op("SELECT", inputs, [y])
    graph.output(y)
    values = [rng.normal(size=shape).astype(np.float32) for _ in range(2)]
    return [rng.random(condition) < 0.5, *values]


def arg_max(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    dtype = str(rng.choice(["int8", "float32"]))
    shape = tuple(int(e) for e in rng.integers(1, 5, 3))
    axis = int(rng.integers(0, 3))
    x = graph.input(shape, dtype, **({"scale": 0.5} if dtype == "int8" else {}))
    y = graph.tensor(shape[:axis] + shape[axis + 1 :], "int64")
    graph.op(str(rng.choice(["ARG_MAX", "ARG_MIN"])), [x, graph.constant(np.array([axis], np.int32))], [y],
             output_type=4)  # fmt: skip
    graph.output(y)
    return [rng.integers(-5, 5, shape).astype(dtype)]


def table(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    op = str(rng.choice(["EXP", "LOG", "GELU"]))
    options = {"approximate": bool(rng.random() < 0.5)} if op == "GELU" else {}
    low = -128 if op == "LOG" else int(rng.integers(-128, 128))
    x = graph.input((256,), "int8", scale=float(rng.uniform(0.005, 0.06)), zero_point=low)
    y = graph.tensor(
        (256,), "int8", scale=float(rng.uniform(0.01, 0.2)), zero_point=int(rng.integers(-128, 128))
    )
    graph.op(op, [x], [y], **options)
    graph.output(y)
    values = np.arange(-128, 128).astype(np.int8)
    return [np.maximum(values, -127).astype(np.int8) if op == "LOG" else values]


def real(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    op = str(rng.choice(["GELU", "SIGN"]))
    options = {"approximate": bool(rng.random() < 0.5)} if op == "GELU" else {}
    x, y = graph.input((200,), "float32"), graph.tensor((200,), "float32")
    graph.op(op, [x], [y], **options)
    graph.output(y)
    return [np.concatenate([[0.0], rng.normal(0, 3, 199)]).astype(np.float32)]


def reduce_any(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    shape = tuple(int(e) for e in rng.integers(1, 5, 3))
    axis = int(rng.integers(0, 3))
    x, y = graph.input(shape, "bool"), graph.tensor(shape[:axis] + shape[axis + 1 :], "bool")
    graph.op("REDUCE_ANY", [x, graph.constant(np.array([axis], np.int32))], [y], keep_dims=False)
    graph.output(y)
    return [rng.random(shape) < 0.3]


def floor(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    shape = tuple(int(e) for e in rng.integers(1, 5, 2))
    x, d, y = graph.input(shape, "int32"), graph.input(shape[1:], "int32"), graph.tensor(shape, "int32")
    graph.op(str(rng.choice(["FLOOR_DIV", "FLOOR_MOD"])), [x, d], [y])
    graph.output(y)
    divisors = rng.integers(1, 9, shape[1:]) * rng.choice([-1, 1], shape[1:])
    return [rng.integers(-50, 50, shape).astype(np.int32), divisors.astype(np.int32)]


def conv_3d(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    size, taps, stride = rng.integers(4, 7, 3), rng.integers(1, 4, 3), rng.integers(1, 3, 3)
    same, channels, filters = bool(rng.random() < 0.5), int(rng.integers(1, 4)), int(rng.integers(1, 5))
    reach = taps if not same else np.ones(3, np.int64)
    extents = [int(-(-(n - r + 1) // s)) for n, r, s in zip(size, reach, stride, strict=True)]
    x = graph.input((1, *map(int, size), channels), "float32")
    weights = rng.normal(size=(*map(int, taps), channels, filters)).astype(np.float32)
    y = graph.tensor((1, *extents, filters), "float32")
    inputs = [x, graph.constant(weights)]
    inputs += [graph.constant(rng.normal(size=filters).astype(np.float32))] if rng.random() < 0.5 else []
    graph.op(
        "CONV_3D", inputs, [y], padding=0 if same else 1, stride_d=int(stride[0]), stride_h=int(stride[1]),
        stride_w=int(stride[2]), dilation_d_factor=1, dilation_h_factor=1, dilation_w_factor=1,
    )  # fmt: skip
    graph.output(y)
    return [rng.normal(size=(1, *map(int, size), channels)).astype(np.float32)]


def top_k(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    """Few different values: ties go by position."""
    dtype = str(rng.choice(["int8", "int32", "float32"]))
    shape = tuple(int(e) for e in rng.integers(1, 9, rng.integers(1, 4)))
    count = int(rng.integers(1, shape[-1] + 1))
    quantization = {"scale": 0.5, "zero_point": 3} if dtype == "int8" else {}
    x = graph.input(shape, dtype, **quantization)
    outputs = [graph.tensor((*shape[:-1], count), dtype, **quantization)]
    outputs += [graph.tensor((*shape[:-1], count), "int32")]
    graph.op("TOPK_V2", [x, graph.constant(np.array(count, np.int32))], outputs)
    graph.output(*outputs)
    return [rng.integers(-4, 4, shape).astype(dtype)]


def scatter(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    """Some positions twice, whose updates add up; positions known beforehand or not."""
    dtype = str(rng.choice(["int8", "int32", "float32"]))
    shape = tuple(int(e) for e in rng.integers(2, 5, 3))
    depth, count = int(rng.integers(1, 4)), int(rng.integers(1, 7))
    positions = np.stack([rng.integers(0, extent, count) for extent in shape[:depth]], -1).astype(np.int32)
    known = bool(rng.random() < 0.5)
    where = graph.constant(positions) if known else graph.input(positions.shape, "int32")
    updates = graph.input((count, *shape[depth:]), dtype)
    y = graph.tensor(shape, dtype)
    graph.op("SCATTER_ND", [where, updates, graph.constant(np.array(shape, np.int32))], [y])
    graph.output(y)
    values = rng.integers(-90, 90, (count, *shape[depth:])).astype(dtype)
    return [values] if known else [positions, values]


def power(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    dtype = str(rng.choice(["int32", "float32", "float32"]))
    shape = tuple(int(e) for e in rng.integers(2, 6, 2))
    inputs = [graph.input(shape, dtype), graph.input(shape[1:], dtype)]
    y = graph.tensor(shape, dtype)
    graph.op("POW", inputs, [y])
    graph.output(y)
    if dtype == "int32":
        values = [rng.integers(-9, 10, shape), rng.integers(0, 7, shape[1:])]
    elif rng.random() < 0.5:  # negative and zero bases, to whole and broken powers
        values = [rng.integers(-3, 4, shape), rng.integers(-5, 6, shape[1:]) * rng.choice([0.5, 1.0])]
    else:
        values = [rng.lognormal(0, 3, shape), rng.normal(0, 6, shape[1:])]
    return [value.astype(dtype) for value in values]


def progression(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    """Added to an input, since a model has one."""
    dtype = str(rng.choice(["int32", "float32"]))
    delta = np.array(rng.choice([-3, -1, 1, 2, 0.3] if dtype == "float32" else [-3, -1, 1, 2]), dtype)
    start, count = np.array(rng.integers(-5, 5), dtype), int(rng.integers(1, 20))
    limit = (
        np.array(start + count * delta - delta / 2, dtype) if dtype == "float32" else start + count * delta
    )
    values = graph.tensor((count,), dtype)
    graph.op("RANGE", [graph.constant(np.array(v, dtype)) for v in (start, limit, delta)], [values])
    x, y = graph.input((count,), dtype), graph.tensor((count,), dtype)
    graph.op("ADD", [x, values], [y])
    graph.output(y)
    return [rng.integers(-9, 9, count).astype(dtype)]


def compare16(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    """Of one scale, or beside zero of another."""
    shape = tuple(int(e) for e in rng.integers(1, 6, 2))
    x, y = graph.input(shape, "int16", scale=0.01), graph.tensor(shape, "bool")
    op = str(rng.choice(["EQUAL", "NOT_EQUAL", "GREATER_EQUAL", "LESS", "LESS_EQUAL"]))
    values = [rng.integers(-3, 4, shape).astype(np.int16)]
    if rng.random() < 0.5:
        graph.op(op, [x, graph.constant(np.zeros(1, np.int16), [0.5])], [y])
    else:
        graph.op(op, [x, graph.input(shape[1:], "int16", scale=0.01)], [y])
        values += [rng.integers(-3, 4, shape[1:]).astype(np.int16)]
    graph.output(y)
    return values


def extremum16(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    shape = tuple(int(e) for e in rng.integers(1, 6, 4))
    axes = sorted(map(int, rng.choice(4, int(rng.integers(1, 3)), replace=False)))
    x = graph.input(shape, "int16", scale=0.01)
    y = graph.tensor(tuple(1 if i in axes else e for i, e in enumerate(shape)), "int16", scale=0.01)
    graph.op(str(rng.choice(["REDUCE_MAX", "REDUCE_MIN"])), [x, graph.constant(np.array(axes, np.int32))],
             [y], keep_dims=True)  # fmt: skip
    graph.output(y)
    return [rng.integers(-(1 << 15), 1 << 15, shape).astype(np.int16)]


def bilinear16(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    """Of extreme values, whose sums take 35 bits."""
    shape, size = (1, *map(int, rng.integers(1, 8, 3))), tuple(int(e) for e in rng.integers(1, 14, 2))
    x = graph.input(shape, "int16", scale=0.01)
    y = graph.tensor((1, *size, shape[3]), "int16", scale=0.01)
    mode: dict[str, bool] = {
        str(rng.choice(["align_corners", "half_pixel_centers"])): bool(rng.random() < 0.7)
    }
    graph.op("RESIZE_BILINEAR", [x, graph.constant(np.array(size, np.int32))], [y], **mode)
    graph.output(y)
    ends = rng.choice([-(1 << 15), (1 << 15) - 1], shape)
    return [
        np.where(rng.random(shape) < 0.5, ends, rng.integers(-(1 << 15), 1 << 15, shape)).astype(np.int16)
    ]


def one_hot(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    """Some indices are outside of the depth."""
    kind, index = str(rng.choice(["float32", "int32", "int8", "int64"])), str(rng.choice(["int32", "int64"]))
    shape, depth = tuple(int(e) for e in rng.integers(1, 5, rng.integers(1, 4))), int(rng.integers(1, 6))
    axis = int(rng.integers(-1, len(shape) + 1))
    place = axis if axis >= 0 else len(shape)
    x = graph.input(shape, index)
    values = [graph.constant(np.array(value, kind)) for value in (rng.integers(1, 9), rng.integers(-9, 0))]
    y = graph.tensor((*shape[:place], depth, *shape[place:]), kind)
    graph.op("ONE_HOT", [x, graph.constant(np.array(depth, np.int32)), *values], [y], axis=axis)
    graph.output(y)
    return [rng.integers(-1, depth + 1, shape).astype(index)]


def cast64(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    kinds = ["int64", str(rng.choice(["float32", "int32", "int16", "bool", "uint8"]))]
    rng.shuffle(kinds)
    x, y = graph.input((20,), kinds[0]), graph.tensor((20,), kinds[1])
    graph.op("CAST", [x], [y])
    graph.output(y)
    far = 40 if kinds == ["int64", "float32"] else 6
    return [rng.integers(0 if kinds[0] in ("uint8", "bool") else -(1 << far), 1 << far, 20).astype(kinds[0])]


def zero_to_one(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    x, y = graph.input((60,), "float32"), graph.tensor((60,), "float32")
    graph.op("RELU_0_TO_1", [x], [y])
    graph.output(y)
    return [rng.normal(0.5, 1, 60).astype(np.float32)]


def bitwise(graph: GraphBuilder, rng: np.random.Generator) -> list[Array]:
    dtype = str(rng.choice(["int8", "int16", "int32"]))
    shape = tuple(int(e) for e in rng.integers(1, 4, rng.integers(1, 4)))
    other = shape if rng.random() < 0.5 else shape[-1:]
    x, by = graph.input(shape, dtype), graph.input(other, dtype)
    y = graph.tensor(shape, dtype)
    graph.op(str(rng.choice(["BITWISE_XOR", "RIGHT_SHIFT"])), [x, by], [y])
    graph.output(y)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    return [values, rng.integers(-3, 40, other).astype(dtype)]


@pytest.mark.parametrize(
    "build",
    [
        conv_3d, tile, select, arg_max, table, real, reduce_any, floor, top_k, scatter, power, progression,
        compare16, extremum16, bilinear16, one_hot, cast64, zero_to_one,
        bitwise,
    ],
)  # fmt: skip
def test_values_equal_litert(build: Build) -> None:
    rng = np.random.default_rng(7)
    for _ in range(12):
        model = ModelBuilder()
        inputs = build(model.graph(), rng)
        data = model.build()
        got = HostModel(compile_model(data)).run(inputs)
        for ours, theirs in zip(got, litert(data, inputs), strict=True):
            if theirs.dtype == np.float32:
                np.testing.assert_allclose(ours, theirs, rtol=5e-5, atol=5e-6)
            else:
                np.testing.assert_array_equal(ours.reshape(theirs.shape), theirs)
