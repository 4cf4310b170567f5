"""DIV, FLOOR_DIV and FLOOR_MOD with broadcasting, of float32. Kernels in ``kernels/div.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.codegen.program import ParamValue
from tinyserve.graph.types import DType, Operator, Options
from tinyserve.ops.binary import Binary
from tinyserve.ops.quantize_params import Activation, check_activation, float_range

_SUFFIXES = {DType.FLOAT32: "f32"}
_PARAMS = {DType.FLOAT32: "div_f32"}


@dataclass(frozen=True)
class DivAttributes:
    activation: Activation = Activation.NONE


class Div(Binary):
    name = "DIV"
    kernel = "div"
    header = "div"
    suffixes = _SUFFIXES
    types = suffixes
    params_of = _PARAMS

    def attributes(self, options: Options) -> DivAttributes:
        return DivAttributes(Activation.read(options, 0))

    def check_values(self, op: Operator) -> None:
        check_activation(op, op.attributes.activation)

    def params(self, op: Operator) -> dict[str, ParamValue]:
        low, high = float_range(op.attributes.activation)
        return {"activation_min": low, "activation_max": high}


class FloorDiv(Div):
    """The quotient, rounded down."""

    name = "FLOOR_DIV"
    kernel = "floor_div"

    def attributes(self, options: Options) -> DivAttributes:
        return DivAttributes()


class FloorMod(FloorDiv):
    """The remainder, with the divisor's sign."""

    name = "FLOOR_MOD"
    kernel = "floor_mod"


OPS = (Div(), FloorDiv(), FloorMod())
