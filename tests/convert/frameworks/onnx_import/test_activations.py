# SPDX-License-Identifier: Apache-2.0
"""Activations as the import writes them become tables in int8, with TFLM's bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tinyserve.compiler import passes
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.graph.types import Quantization
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.ops.elementwise.lookup_table import NAME as TABLE
from tinyserve.compiler.passes.load import load
from tinyserve.convert.frameworks.onnx_import.arithmetic import add, at_least, binary, divide, multiply, unary
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.nodes import activations as a
from tinyserve.convert.frameworks.onnx_import.values import Value
from tinyserve.convert.worker import runtimes

Function = Callable[[Context, Value], Value]


def steps(ctx: Context, x: Value) -> Value:
    return binary(ctx, "MAXIMUM", unary(ctx, "LEAKY_RELU", x, alpha=0.1), ctx.scalar(-0.05))


FUNCTIONS: dict[str, Function] = {
    "gelu": lambda ctx, x: a.gelu(ctx, x, False),
    "gelu tanh": lambda ctx, x: a.gelu(ctx, x, True),
    "softplus": a.softplus,
    "mish": lambda ctx, x: multiply(ctx, x, unary(ctx, "TANH", a.softplus(ctx, x))),
    "silu": lambda ctx, x: multiply(ctx, x, unary(ctx, "LOGISTIC", x)),
    "elu": lambda ctx, x: a.elu(ctx, x, 1.3, 1.1),
    "hard": lambda ctx, x: a.hard_sigmoid(ctx, x, 0.3, 0.4),
    "waves": lambda ctx, x: add(ctx, unary(ctx, "SIN", x), unary(ctx, "COS", x)),
    "rounded": lambda ctx, x: unary(ctx, "ROUND", unary(ctx, "EXP", unary(ctx, "FLOOR", x))),
    "softsign": lambda ctx, x: divide(ctx, x, add(ctx, unary(ctx, "ABS", x), ctx.scalar(1))),
    "root": lambda ctx, x: unary(ctx, "SQRT", unary(ctx, "SQUARE", x)),
    "logarithm": lambda ctx, x: unary(ctx, "LOG", add(ctx, unary(ctx, "SQUARE", x), ctx.scalar(0.1))),
    "bounds": lambda ctx, x: at_least(ctx, unary(ctx, "HARD_SWISH", x), -0.2),
    "steps": steps,
}


def model_of(function: Function, scales: tuple[float, float], zeros: tuple[int, int]) -> bytes:
    """All 256 values of int8 through the function."""
    ctx = Context()
    shape = (1, 256)
    given = ctx.draft.tensor("x", shape, "int8")
    ctx.draft.tensors[given].quantization = Quantization((scales[0],), (zeros[0],))
    real = ctx.emit("DEQUANTIZE", [given], shape)
    y = function(ctx, ctx.computed(real, shape))
    made = ctx.new(shape, np.int8)
    ctx.draft.tensors[made].quantization = Quantization((scales[1],), (zeros[1],))
    ctx.draft.operator("QUANTIZE", [ctx.tensor(y)], [made])
    ctx.draft.finish([made])
    return ctx.draft.write([given], [made], (["x"], ["y"]), "test")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tables_have_the_bytes_of_tflm(name: str) -> None:
    values = np.arange(-128, 128, dtype=np.int8)[None]
    for scales, zeros in (((0.03, 0.02), (5, -7)), ((0.11, 0.05), (-128, -128))):
        data = model_of(FUNCTIONS[name], scales, zeros)
        model = load(data)
        passes.optimize(model)
        assert [op.name for op in model.main.nodes] == [TABLE]
        (wanted,) = runtimes.runner("tflm", data)([values])
        (got,) = HostModel(compile_model(data)).run([values])
        np.testing.assert_array_equal(got.reshape(-1), wanted.reshape(-1))
