"""ADD and SUB: one input by a shift, the other by a table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinyserve.codegen.program import ParamValue
from tinyserve.graph.types import DType, Operator
from tinyserve.ops import checks
from tinyserve.ops.add import Add, Sub
from tinyserve.ops.base import Lowering
from tinyserve.ops.broadcast import broadcast_overlaps
from tinyserve.ops.calls import add_call
from tinyserve.ops.fixed_point import requantize
from tinyserve.ops.quantize_params import activation_range
from tinyserve.variants import Candidate

REASON = "one input by shifts, the other by a table of 1 KB"
_HALF = (1 << 30, 0)
_LEFT_SHIFT = 20


def candidates(op: Operator, lowering: Lowering) -> list[Candidate]:
    """One candidate for int8 inputs of one shape and outputs that may be all of int8."""
    input1, input2, output = checks.required(op, 0), checks.required(op, 1), op.outputs[0]
    if output.dtype is not DType.INT8 or input1.shape != output.shape or input2.shape != output.shape:
        return []
    if activation_range(op, op.attributes.activation, output) != (-128, 127):
        return []
    factors = _Factors(op)
    right = -factors.shift
    rounding = abs(2 * output.zero_point + 1) << max(0, right - 1)
    # Doubled sums stay below 2^29 * 2, scaled ones below 2^30.
    if factors.plain is None or not 1 <= right <= 22 or rounding >= 1 << 30:
        return []
    return [Candidate("dsp", output.elements * 10.0, REASON, lambda: _lower(op, lowering, factors))]


class _Factors:
    """``plain``: the index of the input that is exactly halved and added; None where there is none."""

    def __init__(self, op: Operator) -> None:
        params = (Sub() if op.name == "SUB" else Add()).quantized_params(op)
        self.subtract = op.name == "SUB"
        self.inputs = [
            tuple(_whole(params[f"{field}{index}"]) for field in ("multiplier", "shift", "offset"))
            for index in (1, 2)
        ]
        self.multiplier, self.shift = _whole(params["output_multiplier"]), _whole(params["output_shift"])
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


def _whole(value: ParamValue) -> int:
    assert isinstance(value, int)
    return value


def _lower(op: Operator, lowering: Lowering, factors: _Factors) -> None:
    assert factors.plain is not None
    output = op.outputs[0]
    inputs = [checks.required(op, factors.plain), checks.required(op, 1 - factors.plain)]
    shift = -factors.shift - 1
    params: dict[str, ParamValue] = {
        "elements": output.elements,
        "table": lowering.constant(f"{output.name}_table", factors.table(), "see kernels/dsp/add.h"),
        "multiplier": factors.multiplier,
        "rounding": (2 * output.zero_point + 1) * (1 << shift),
        "shift": shift,
    }
    sources, target = [lowering.operand(tensor) for tensor in inputs], lowering.buffer(output)
    function = "ts_dsp_add_relu_s8" if output.zero_point == -128 else "ts_dsp_add_s8"
    add_call(
        op, lowering, function, "dsp/add.h", params=params, inputs=sources, outputs=[target],
        params_type="ts_dsp_add_params", sources=("dsp/add.S",), variant="dsp", reason=REASON,
        overlaps=broadcast_overlaps(op, inputs, sources, target),
    )  # fmt: skip
