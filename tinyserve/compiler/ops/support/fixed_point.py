# SPDX-License-Identifier: Apache-2.0
"""gemmlowp's fixed-point functions in Python, bit for bit, to compute tables at compile time.

A number of format Qn is an int32 raw value times 2^(n - 31). Source of the formulas: gemmlowp's
fixedpoint.h as TFLM's reference kernels use it.
"""

from __future__ import annotations

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
ONE = _INT32_MAX
"""1 in Q0, as near as it gets."""


def wrap(value: int) -> int:
    """To int32, two's complement."""
    return (value + 2**31) % 2**32 - 2**31


def multiply_high(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul."""
    return _INT32_MAX if a == b == _INT32_MIN else (a * b + (1 << 30)) >> 31


def divide_by_power_of_two(value: int, bits: int) -> int:
    """RoundingDivideByPOT: ties away from zero."""
    mask = (1 << bits) - 1
    threshold = (mask >> 1) + (1 if value < 0 else 0)
    return (value >> bits) + (1 if value & mask > threshold else 0)


def requantize(value: int, multiplier: int, shift: int) -> int:
    """MultiplyByQuantizedMultiplier."""
    left, right = max(shift, 0), max(-shift, 0)
    return divide_by_power_of_two(multiply_high(wrap(value << left), multiplier), right)


def _shift_left(value: int, bits: int) -> int:
    return max(_INT32_MIN, min(_INT32_MAX, value << bits))


_EXP_FACTORS = (  # exp(-2^k) in Q0 for k = -2 .. 4
    1672461947,
    1302514674,
    790015084,
    290630308,
    39332535,
    720401,
    242,
)


def exp_on_negative_values(raw: int, integer_bits: int) -> int:
    """exp of a Q``integer_bits`` number <= 0, in Q0."""
    if raw == 0:
        return ONE
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    reduced = (raw & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(_shift_left(reduced, integer_bits))
    remainder = wrap(reduced - raw)
    for exponent, factor in enumerate(_EXP_FACTORS, start=-2):
        if integer_bits > exponent and remainder & (1 << (fraction_bits + exponent)):
            result = multiply_high(result, factor)
    return result


def _exp_between_minus_quarter_and_zero(a: int) -> int:
    """Taylor's series around -1/8, of fourth order."""
    exp_minus_eighth, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = multiply_high(x, x)
    x3 = multiply_high(x2, x)
    x4 = multiply_high(x2, x2)
    x4_over_4 = divide_by_power_of_two(x4, 2)
    series = divide_by_power_of_two(multiply_high(x4_over_4 + x3, third) + x2, 1)
    return wrap(exp_minus_eighth + multiply_high(exp_minus_eighth, x + series))


def _newton_reciprocal(a: int) -> int:
    """2 / (1 + a) for a in [0, 1] in Q0; the result is in Q2."""
    half_denominator = (a + ONE + 1) >> 1
    x = 1515870810 + multiply_high(half_denominator, -1010580540)
    for _ in range(3):
        one_minus = (1 << 29) - multiply_high(half_denominator, x)
        x = wrap(x + _shift_left(multiply_high(x, one_minus), 2))
    return x


def one_over_one_plus_x(a: int) -> int:
    """1 / (1 + a) for a in [0, 1], Q0."""
    return _shift_left(_newton_reciprocal(a), 1)


def one_minus_x_over_one_plus_x(a: int) -> int:
    """(1 - a) / (1 + a) for a in [0, 1], Q0."""
    return _shift_left(_newton_reciprocal(a) - (1 << 29), 2)


def inverse_sqrt(value: int) -> tuple[int, int]:
    """1 / sqrt(value) of an integer >= 0, 0 as if it were 1, as a multiplier and a shift:
    GetInvSqrtQuantizedMultiplierExp. Five Newton steps in Q3 on the value scaled to [2^27, 2^29).
    """
    if value <= 1:
        return ONE, 0
    right = 11
    while value >= 1 << 29:
        value, right = value // 4, right + 1
    while value < 1 << 27:
        value, right = value * 4, right - 1
    half = divide_by_power_of_two(value >> 1, 1)
    three_halves, half_sqrt_2 = (1 << 28) + (1 << 27), 1518500250
    estimate = 1 << 28
    for _ in range(5):
        cube = _shift_left(multiply_high(multiply_high(estimate, estimate), estimate), 6)
        step = multiply_high(three_halves, estimate) - multiply_high(half, cube)
        estimate = _shift_left(wrap(step), 3)
    multiplier = multiply_high(estimate, half_sqrt_2)
    return wrap(multiplier << max(-right, 0)), -max(right, 0)


def logistic(raw: int, integer_bits: int) -> int:
    """1 / (1 + exp(-a)) of a Q``integer_bits`` number, Q0."""
    if raw == 0:
        return 1 << 30
    positive = one_over_one_plus_x(exp_on_negative_values(-abs(raw), integer_bits))
    return positive if raw > 0 else ONE - positive


def tanh(raw: int, integer_bits: int) -> int:
    """tanh of a Q``integer_bits`` number, Q0."""
    if raw == 0:
        return 0
    # The same raw value with one integer bit more is twice the number.
    positive = one_minus_x_over_one_plus_x(exp_on_negative_values(-abs(raw), integer_bits + 1))
    return positive if raw > 0 else -positive


def input_radius(integer_bits: int, left_shift: int) -> int:
    """The largest difference that still fits Q``integer_bits`` after scaling: TFLM's CalculateInputRadius."""
    scaled = ((1 << integer_bits) - 1) * (1 << (31 - integer_bits))
    return scaled >> left_shift if left_shift >= 0 else scaled << -left_shift
