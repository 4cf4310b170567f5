# SPDX-License-Identifier: Apache-2.0
"""ADD and SUB of int8 where one input is exactly halved: TFLM scales the one of the larger scale by 1/2.

What the other input contributes is looked up by its byte. Sums are kept doubled, as a multiply that gives the
high half wants them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.elementwise.add import Add, Sub
from tinyserve.compiler.ops.support.fixed_point import requantize

_HALF = (1 << 30, 0)
_LEFT_SHIFT = 20
_SHIFTS = (1, 22)


class SumFactors:
    """``plain``: the index of the input that is exactly halved and added; None where there is none."""

    def __init__(self, node: Node) -> None:
        scaling = (Sub() if node.name == "SUB" else Add()).scaling(node)
        self.subtract = node.name == "SUB"
        self.inputs = [
            (scaling.factor1.multiplier, scaling.factor1.shift, scaling.offset1),
            (scaling.factor2.multiplier, scaling.factor2.shift, scaling.offset2),
        ]
        self.multiplier, self.shift = scaling.output_factor.multiplier, scaling.output_factor.shift
        halved = [index for index in (0, 1) if self.inputs[index][:2] == _HALF]
        if self.subtract:
            halved = [index for index in halved if index == 0]
        self.plain: int | None = halved[0] if halved else None

    def table(self) -> npt.NDArray[np.int32]:
        """Twice the part of the sum that does not come from the plain input's value, by the other's byte."""
        assert self.plain is not None
        multiplier, shift, offset = self.inputs[1 - self.plain]
        sign = -1 if self.subtract else 1
        constant = self.inputs[self.plain][2] << (_LEFT_SHIFT - 1)
        values = np.arange(256, dtype=np.uint8).view(np.int8).tolist()
        scaled = [requantize((value + offset) << _LEFT_SHIFT, multiplier, shift) for value in values]
        return np.array([2 * (sign * value + constant) for value in scaled], dtype=np.int32)


def factors_for(node: Node) -> SumFactors | None:
    """The factors of an int8 sum of one shape whose doubled sums stay below 2^30 and scaled ones below 2^30.

    None for all others.
    """
    input1, input2, output = node.input("input1"), node.input("input2"), node.output
    if output.dtype is not DType.INT8 or input1.shape != output.shape or input2.shape != output.shape:
        return None
    factors = SumFactors(node)
    right = -factors.shift
    rounding = abs(2 * output.zero_point + 1) << max(0, right - 1)
    if factors.plain is None or not _SHIFTS[0] <= right <= _SHIFTS[1] or rounding >= 1 << 30:
        return None
    return factors
