# SPDX-License-Identifier: Apache-2.0
"""Elementwise layers, comparisons, conversions, reductions and normalizations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.compiler.ops.generate import ACTIVATIONS
from tests.support.graphs.grower import LARGEST_SCALE, QUANTIZED, Grower

_FIXED: dict[str, dict[str, Any]] = {
    "LOGISTIC": {"scale": 1 / 256, "zero_point": -128},
    "TANH": {"scale": 1 / 128, "zero_point": 0},
    "SOFTMAX": {"scale": 1 / 256, "zero_point": -128},
    "LOG_SOFTMAX": {"scale": 1 / 16, "zero_point": 127},
    "L2_NORMALIZATION": {"scale": 1 / 128, "zero_point": 0},
}


def _unary(name: str, dtypes: tuple[str, ...], g: Grower) -> None:
    """With the function's own quantization, that of the input, or another one."""
    x = g.pick(*dtypes)
    q = _FIXED.get(name) or (g.of(x) if g.r.chance(0.6) else None)
    g.add(name, [x], g.tensor(x.shape, x.dtype, q), **({"alpha": 0.2} if name == "LEAKY_RELU" else {}))


def _fixed(name: str, g: Grower) -> None:
    x = g.pick("int8")
    g.add(name, [x], g.tensor(x.shape, x.dtype, _FIXED[name]), **({"beta": 1.0} if name == "SOFTMAX" else {}))


def _sum(name: str, g: Grower) -> None:
    x = g.pick(*QUANTIZED, "int32", "float32")
    other = g.partner(x)
    q = g.wider(x, other) if x.dtype in QUANTIZED else {}
    activation = "NONE" if x.dtype == "int32" else g.r.choice(ACTIVATIONS)
    operands = [x, other] if g.r.chance(0.7) else [other, x]
    g.add(name, operands, g.tensor(x.shape, x.dtype, q), activation=activation)


def _product(name: str, g: Grower) -> None:
    """Of float32 only by a constant, so that nothing overflows."""
    x = g.pick(*QUANTIZED, "int32", "float32") if name == "MUL" else g.pick(*QUANTIZED, "int32")
    other = g.random_constant(x.shape[-1:], x.dtype, {}) if x.dtype == "float32" else g.partner(x)
    q = {}
    if x.dtype in QUANTIZED:
        half = 128 if x.dtype == "int8" else 32768
        unit = g.scale(x) * g.scale(other) if name == "MUL" else max(g.scale(x), g.scale(other)) ** 2
        scale = min(unit * half * g.r.choice((1.0, 0.3)), LARGEST_SCALE)
        q = {"scale": scale, "zero_point": g.r.zero_point(x.dtype)}
    options = {"activation": g.r.choice(ACTIVATIONS)} if name == "MUL" and x.dtype != "int32" else {}
    g.add(name, [x, other], g.tensor(x.shape, x.dtype, q), **options)


def _choice(name: str, g: Grower) -> None:
    """MAXIMUM and MINIMUM."""
    x = g.pick(*QUANTIZED, "int32", "float32")
    g.add(name, [x, g.alike(x)], g.like(x))


def _prelu(g: Grower) -> None:
    x = g.pick("int8", low=4)
    slopes = {"scale": g.r.scale(1e-3, 0.02), "zero_point": g.r.zero_point("int8")}
    g.add("PRELU", [x, g.random_constant((1, 1, x.shape[3]), x.dtype, slopes)], g.like(x))


def _add_n(g: Grower) -> None:
    x = g.pick("int8")
    g.add("ADD_N", [x, g.alike(x), g.alike(x)], g.tensor(x.shape, x.dtype))


def _comparison(name: str, g: Grower) -> None:
    x = g.pick("int8", "int32", "float32")
    g.add(name, [x, g.partner(x)], g.tensor(x.shape, "bool"))


def _logical(name: str, g: Grower) -> None:
    x = g.pick("bool")
    others = [] if name == "LOGICAL_NOT" else [g.partner(x)]
    g.add(name, [x, *others], g.tensor(x.shape, "bool"))


def _select(g: Grower) -> None:
    condition = g.pick("bool")
    x = g.pick(*QUANTIZED, "int32", "float32", fits=lambda ref: ref.shape == condition.shape)
    g.add("SELECT_V2", [condition, x, g.alike(x)], g.like(x))


def _cast(g: Grower) -> None:
    x = g.pick("bool", "int32", "int8")
    target = g.r.choice(("int32", "float32") if x.dtype != "int32" else ("int32",))
    g.add("CAST", [x], g.tensor(x.shape, target))


def _quantize(g: Grower) -> None:
    """Between int8 and int16, to another scale, or from float32."""
    x = g.pick(*QUANTIZED, "float32")
    target = g.r.choice(QUANTIZED)
    same = x.dtype == target and g.r.chance(0.4)
    g.add("QUANTIZE", [x], g.like(x) if same else g.tensor(x.shape, target))


def _dequantize(g: Grower) -> None:
    x = g.pick(*QUANTIZED)
    g.add("DEQUANTIZE", [x], g.tensor(x.shape, "float32"))


def _reduction(name: str, dtypes: tuple[str, ...], g: Grower) -> None:
    """Over one or two axes, which is what TFLM does."""
    x = g.pick(*dtypes)
    rank = len(x.shape)
    axes = [int(axis) for axis in g.r.rng.permutation(rank)[: g.r.integer(1, min(2, rank))]]
    keep = g.r.chance(0.5) or len(axes) == rank
    shape = [1 if axis in axes else n for axis, n in enumerate(x.shape) if keep or axis not in axes]
    requantized = name in ("MEAN", "SUM") and g.r.chance(0.5)
    y = g.tensor(shape, x.dtype) if requantized else g.like(x, shape)
    g.add(name, [x, g.integers(*axes)], y, keep_dims=keep)


def _arg(name: str, g: Grower) -> None:
    x = g.pick("int8", "float32", low=2)
    axis = g.r.integer(0, len(x.shape) - 1)
    y = g.tensor(x.shape[:axis] + x.shape[axis + 1 :], "int32")
    g.add(name, [x, g.graph.constant(np.array(axis, np.int32))], y, output_type="int32")


def _cumsum(g: Grower) -> None:
    x = g.pick("int8")
    axis = g.graph.constant(np.array([g.r.integer(0, len(x.shape) - 1)], np.int32))
    g.add("CUMSUM", [x, axis], g.tensor(x.shape, x.dtype), exclusive=g.r.chance(0.5), reverse=g.r.chance(0.5))


_BOTH, _REAL = QUANTIZED, (*QUANTIZED, "float32")
LAYERS: dict[str, Callable[[Grower], None]] = {
    **{name: partial(_unary, name, _REAL) for name in ("RELU", "RELU6", "ABS")},
    **{name: partial(_unary, name, ("float32",)) for name in ("NEG", "FLOOR", "CEIL")},
    **{name: partial(_unary, name, ("int8",)) for name in ("LOGISTIC", "TANH", "ELU", "HARD_SWISH")},
    "LEAKY_RELU": partial(_unary, "LEAKY_RELU", _BOTH),
    **{name: partial(_fixed, name) for name in ("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION")},
    **{name: partial(_sum, name) for name in ("ADD", "SUB")},
    **{name: partial(_product, name) for name in ("MUL", "SQUARED_DIFFERENCE")},
    **{name: partial(_choice, name) for name in ("MAXIMUM", "MINIMUM")},
    **{
        name: partial(_comparison, name)
        for name in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
    },
    **{name: partial(_logical, name) for name in ("LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT")},
    **{name: partial(_reduction, name, _BOTH) for name in ("MEAN", "SUM")},
    **{name: partial(_reduction, name, ("int8",)) for name in ("REDUCE_MAX", "REDUCE_MIN")},
    "REDUCE_ALL": partial(_reduction, "REDUCE_ALL", ("bool",)),
    **{name: partial(_arg, name) for name in ("ARG_MAX", "ARG_MIN")},
    "ADD_N": _add_n,
    "CAST": _cast,
    "CUMSUM": _cumsum,
    "DEQUANTIZE": _dequantize,
    "PRELU": _prelu,
    "QUANTIZE": _quantize,
    "SELECT_V2": _select,
}
