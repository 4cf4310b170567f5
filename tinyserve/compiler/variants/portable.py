# SPDX-License-Identifier: Apache-2.0
"""What portable kernels take, for the choice between them and a variant: where a layer has few outputs,
copies and gathering can cost more than they save.

Fitted to exact counts of random layers (``python -m tests.cliffs``), which are within 40 % of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.linear.batch_matmul import BatchMatmul
from tinyserve.compiler.ops.linear.conv_2d import Conv2D
from tinyserve.compiler.ops.linear.depthwise_conv_2d import DepthwiseConv2D

UNKNOWN = float("inf")


@dataclass(frozen=True)
class _Rates:
    """Instructions per output and per product."""

    per_output: float
    per_product: float


_CONVOLUTION = {
    "mve": _Rates(62, 4.0),
    "dsp": _Rates(65, 3.0),
    "thumb1": _Rates(119, 5.8),
    "rv32m": _Rates(40, 4.4),
}
_CONVOLUTION_S16 = {"mve": _Rates(68, 4.4), "dsp": _Rates(65, 4.6), "thumb1": _Rates(161, 8.0)}
_DEPTHWISE = {
    "mve": _Rates(60, 8.0),
    "dsp": _Rates(55, 7.0),
    "thumb1": _Rates(105, 13.0),
    "rv32m": _Rates(37, 5.7),
}
_MATRICES = {"mve": _Rates(35, 5.6), "dsp": _Rates(35, 4.2), "thumb1": _Rates(93, 8.2)}
_INTEGERS: dict[tuple[str, DType], dict[str, _Rates]] = {
    ("conv_2d", DType.INT8): _CONVOLUTION,
    ("conv_2d", DType.INT16): _CONVOLUTION_S16,
    ("depthwise_conv_2d", DType.INT8): _DEPTHWISE,
    ("batch_matmul", DType.INT8): _MATRICES,
}
_SUM = {"dsp": 46.0, "thumb1": 75.0, "rv32m": 58.0}
"""Instructions per element of an int8 sum; Helium's kernels store nothing that would be to be weighed."""
_MACS: dict[str, Callable[[Node], int]] = {
    "conv_2d": Conv2D().macs,
    "depthwise_conv_2d": DepthwiseConv2D().macs,
    "batch_matmul": BatchMatmul().macs,
}


def cost(name: str, node: Node, features: frozenset[str]) -> float:
    """Instructions of one inference on a core with these features; UNKNOWN where nobody has counted.

    ``name``: the operator's module.
    """
    if name == "add" and node.output.dtype is DType.INT8 and "mve" not in features:
        rate = next((_SUM[feature] for feature in _SUM if feature in features), UNKNOWN)
        return rate * node.output.elements
    first, second = node.inputs[:2] if name in _MACS else (None, None)
    if first is None or second is None or second.dtype is not DType.INT8:
        return UNKNOWN
    by_feature = _INTEGERS.get((name, first.dtype), {})
    rates = next((one for feature, one in by_feature.items() if feature in features), None)
    if rates is None:
        return UNKNOWN
    return rates.per_output * node.output.elements + rates.per_product * _MACS[name](node)
