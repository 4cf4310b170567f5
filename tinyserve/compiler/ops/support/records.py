# SPDX-License-Identifier: Apache-2.0
"""Groups of parameters that several kernels have, by their C names, and how an operator fills them."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.quantize_params import (
    Activation,
    Requantization,
    activation_range,
    float_range,
    int32_range,
)
from tinyserve.compiler.program import Constant, Params


@dataclass(frozen=True)
class Clamp(Params, c_type="ts_activation"):
    """The least and the greatest output."""

    min: int
    max: int


@dataclass(frozen=True)
class FloatClamp(Params, c_type="ts_activation_f32"):
    """As ``Clamp``, of real values."""

    min: float
    max: float


def quantized_clamp(node: Node) -> Clamp:
    """The fused activation's bounds in the output's quantization, or those of its type."""
    return Clamp(*activation_range(node, node.attributes.activation, node.output))


def float_clamp(activation: Activation) -> FloatClamp:
    """The fused activation's bounds."""
    return FloatClamp(*float_range(activation))


def clamp(node: Node) -> Clamp | FloatClamp:
    """The fused activation's bounds in the output's type: real, of plain int32, or quantized."""
    if node.output.dtype is DType.FLOAT32:
        return float_clamp(node.attributes.activation)
    if node.output.dtype is DType.INT32:
        return Clamp(*int32_range(node.attributes.activation))
    return quantized_clamp(node)


@dataclass(frozen=True)
class Factor(Params, c_type="ts_factor"):
    """A multiplier in Q0.31 and its shift to the left."""

    multiplier: int
    shift: int


@dataclass(frozen=True)
class Factors(Params, c_type="ts_requantization"):
    """From sums to outputs: ``step`` is 1 for a factor per channel, 0 for one of all."""

    step: int
    multipliers: Constant
    shifts: Constant


def stored_factors(lowering: Lowering, name: str, found: Requantization) -> Factors:
    """The factors of a layer, with those of its channels as constants. ``name``: of the layer's weights."""
    multipliers = lowering.constant(
        f"{name}_multipliers", found.multipliers, "scales of input x weights / output, Q0.31"
    )
    shifts = lowering.constant(
        f"{name}_shifts", found.shifts, "to the left, of the products with the multipliers"
    )
    return Factors(found.step, multipliers, shifts)
