# SPDX-License-Identifier: Apache-2.0
"""Functions of float32 that look at each element alone, in numpy: each result is the nearest float32."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node

Array = npt.NDArray[Any]


def is_known(node: Node) -> bool:
    """Whether ``apply`` computes it: an elementwise operator of float32, or of the bools made of them."""
    return not node.custom and node.name in _FUNCTIONS and len(node.outputs) == 1


def apply(node: Node, inputs: Sequence[Any]) -> Array | None:
    """The result, float32 or bool; None where the operator's types are others. Values broadcast."""
    output = node.output.dtype
    if output not in (DType.FLOAT32, DType.BOOL):
        return None
    activation = (
        _ACTIVATIONS.get(node.options.int8("fused_activation_function")) if node.name in _FUSED else _identity
    )
    if activation is None:
        return None
    with np.errstate(all="ignore"):
        made = activation(_FUNCTIONS[node.name](node, *inputs))
    result: Array = np.asarray(made).astype(np.float32 if output is DType.FLOAT32 else np.bool_)
    return result


def _wide(function: Callable[[Array], Array]) -> Callable[..., Array]:
    """Computed in float64, and rounded once."""
    return lambda node, x: function(np.asarray(x).astype(np.float64)).astype(np.float32)


def _plain(function: Callable[..., Array]) -> Callable[..., Array]:
    """A single operation of IEEE 754, or none at all."""
    return lambda node, *inputs: function(*inputs)


def _identity(x: Array) -> Array:
    return x


def _gelu(node: Node, x: Array) -> Array:
    wide = np.asarray(x).astype(np.float64)
    if node.options.boolean("approximate"):
        share = np.tanh(math.sqrt(2.0 / math.pi) * (wide + 0.044715 * wide**3))
    else:
        share = np.vectorize(math.erf, otypes=[np.float64])(wide / math.sqrt(2.0))
    result: Array = (0.5 * wide * (1.0 + share)).astype(np.float32)
    return result


def _leaky(node: Node, x: Array) -> Array:
    result: Array = np.where(x > 0, x, x * np.float32(node.options.float32("alpha")))
    return result


def _hard_swish(x: Array) -> Array:
    result: Array = x * np.clip(x + np.float32(3), np.float32(0), np.float32(6)) / np.float32(6)
    return result


_FUSED = frozenset({"ADD", "SUB", "MUL", "DIV"})
_ACTIVATIONS: dict[int, Callable[[Array], Array]] = {
    0: _identity,
    1: lambda x: np.maximum(x, np.float32(0)),
    2: lambda x: np.clip(x, np.float32(-1), np.float32(1)),
    3: lambda x: np.clip(x, np.float32(0), np.float32(6)),
}
_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "ABS": _plain(np.abs), "NEG": _plain(np.negative), "SQUARE": _plain(np.square), "SIGN": _plain(np.sign),
    "SQRT": _plain(np.sqrt), "FLOOR": _plain(np.floor), "CEIL": _plain(np.ceil), "ROUND": _plain(np.rint),
    "RSQRT": _wide(lambda x: 1.0 / np.sqrt(x)), "EXP": _wide(np.exp), "LOG": _wide(np.log),
    "SIN": _wide(np.sin), "COS": _wide(np.cos), "TANH": _wide(np.tanh),
    "LOGISTIC": _wide(lambda x: 1.0 / (1.0 + np.exp(-x))),
    "ELU": _wide(lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0.0)), x)),
    "RELU": _plain(_ACTIVATIONS[1]), "RELU_N1_TO_1": _plain(_ACTIVATIONS[2]),
    "RELU6": _plain(_ACTIVATIONS[3]),
    "LEAKY_RELU": _leaky, "HARD_SWISH": _plain(_hard_swish), "GELU": _gelu,
    "ADD": _plain(np.add), "SUB": _plain(np.subtract), "MUL": _plain(np.multiply), "DIV": _plain(np.divide),
    "POW": _plain(lambda a, b: np.power(np.float64(a), np.float64(b)).astype(np.float32)),
    "MAXIMUM": _plain(np.maximum), "MINIMUM": _plain(np.minimum),
    "SQUARED_DIFFERENCE": _plain(lambda a, b: np.square(a - b)),
    "GREATER": _plain(np.greater), "GREATER_EQUAL": _plain(np.greater_equal), "LESS": _plain(np.less),
    "LESS_EQUAL": _plain(np.less_equal), "EQUAL": _plain(np.equal), "NOT_EQUAL": _plain(np.not_equal),
    "LOGICAL_AND": _plain(np.logical_and), "LOGICAL_OR": _plain(np.logical_or),
    "LOGICAL_NOT": _plain(np.logical_not), "SELECT": _plain(np.where), "SELECT_V2": _plain(np.where),
}  # fmt: skip
NAMES = frozenset(_FUNCTIONS)
