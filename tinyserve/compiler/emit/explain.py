# SPDX-License-Identifier: Apache-2.0
"""What the integers of quantized kernels stand for, as comments beside them in the generated C."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Tensor
from tinyserve.compiler.program import Buffer, KernelCall

_INPUTS = {"input_offset": 0, "offset1": 0, "offset2": 1, "left_offset": 0, "right_offset": 1}
_OUTPUTS = ("output_offset", "output_zero_point")
_BOUNDS = ("activation.min", "activation.max")
_Q31 = 1 << 30
"""Multipliers of this magnitude are fractions of 2^31, to be shifted."""


def meaning(call: KernelCall, field: str) -> str:
    """What a parameter stands for; empty where it says so itself, or stands for nothing real."""
    value = call.fields[field]
    if isinstance(value, bool) or not isinstance(value, int):
        return ""
    stem = field.rpartition(".")[2]
    if stem.rstrip("12").endswith("multiplier"):
        return _factor(call, field, value)
    if stem in _INPUTS:
        return _zero_point(
            value, _input(call, _INPUTS[stem]), "the input's" if stem == "input_offset" else "its"
        )
    output = call.writes[0].tensor if call.writes else None
    if stem in _OUTPUTS and output is not None and value == output.zero_point != 0:
        return "the output's zero point"
    if field.endswith(_BOUNDS) and output is not None and output.quantization is not None:
        return f"{(value - output.zero_point) * output.scale:.6g}"
    return ""


def _factor(call: KernelCall, field: str, multiplier: int) -> str:
    """multiplier * 2^(shift - 31), which the kernel multiplies by. Kernels that are given what they round by
    have shifts to the right, of which some bits are elsewhere."""
    shift = call.fields.get(field.replace("multiplier", "shift"))
    if f"{field.rpartition('multiplier')[0]}rounding" in call.fields:
        return ""
    if not isinstance(shift, int) or not _Q31 <= abs(multiplier) < 2 * _Q31 or not -31 <= shift <= 30:
        return ""
    return f"with its shift: times {multiplier * 2.0 ** (shift - 31):.9g}"


def _zero_point(value: int, tensor: Tensor | None, whose: str) -> str:
    is_it = tensor is not None and tensor.zero_point != 0 and value == -tensor.zero_point
    return f"minus {whose} zero point" if is_it else ""


def _input(call: KernelCall, index: int) -> Tensor | None:
    operand = call.args[index] if index < len(call.args) else None
    return operand.tensor if isinstance(operand, Buffer) else None
