# SPDX-License-Identifier: Apache-2.0
"""POW with broadcasting. Kernels in ``kernels/pow.h``."""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.ops.support.binary import Binary

_SUFFIX = {DType.INT32: "s32", DType.FLOAT32: "f32"}


class Pow(Binary):
    """TFLM lacks the operator: LiteRT says what it gives. It refuses negative exponents of integers."""

    name = "POW"
    kernel = "pow"
    header = "pow"
    suffixes = _SUFFIX
    types = suffixes
    params_of = dict.fromkeys(_SUFFIX, "pow")


OPS = (Pow(),)
