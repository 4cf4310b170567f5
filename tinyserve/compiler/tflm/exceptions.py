# SPDX-License-Identifier: Apache-2.0
"""What TFLM runs and the compiler refuses, because no result would be the right one.

For the page of operators; tests hold that ``TYPES`` is complete and that all of it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """``what`` of ``operators`` is refused because of what TFLM does: ``why``."""

    operators: tuple[str, ...]
    what: tuple[str, ...]
    why: str


TYPES = (
    Refusal(
        ("LOGICAL_AND", "LOGICAL_OR"),
        ("int8", "int16", "int32", "int64", "uint8", "uint32", "float32"),
        "overlooks the types and takes everything for bytes of booleans",
    ),
    Refusal(("GREATER",), ("int16",), "never prepares its factors: nothing is greater than anything"),
    Refusal(
        ("DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"),
        ("int16, int8 weights, int32 bias",),
        "reads the bias as int64, beyond its end",
    ),
    Refusal(
        ("FULLY_CONNECTED",),
        ("int16, int8 weights, int16 bias",),
        "reads the bias as int64, beyond its end",
    ),
)
"""Of element types."""

OPTIONS = (
    Refusal(("ADD",), ("int32 with a fused activation",), "leaves the activation out"),
    Refusal(
        ("operators with a fused activation",), ("TANH or SIGN_BIT as that",), "leaves the activation out"
    ),
    Refusal(
        ("BATCH_TO_SPACE_ND", "CONCATENATION", "MAXIMUM", "MINIMUM", "PACK", "SPACE_TO_BATCH_ND"),
        ("inputs and output quantized differently",),
        "copies values as if their scales were equal",
    ),
    Refusal(
        ("AVERAGE_POOL_2D", "MAX_POOL_2D"),
        ("input and output quantized differently",),
        "pools values as if their scales were equal",
    ),
    Refusal(
        ("CONV_2D", "DEPTHWISE_CONV_2D", "SVDF", "TRANSPOSE_CONV"),
        ("weights with a zero point",),
        "does not subtract it",
    ),
    Refusal(
        ("UNIDIRECTIONAL_SEQUENCE_LSTM",),
        ("weights with a zero point",),
        "subtracts it, though the format has symmetric weights alone",
    ),
    Refusal(("LOGISTIC", "TANH"), ("an int16 input with a scale above 2.6",), "lets its products overflow"),
    Refusal(
        ("DIV",), ("int8 with an output scale that is too large",), "shifts by a negative number of bits"
    ),
    Refusal(
        ("L2_NORMALIZATION",), ("an int8 output whose scale is not 1/128",), "takes it for 1/128 all the same"
    ),
    Refusal(("STRIDED_SLICE",), ("an ellipsis", "an offset"), "overlooks it"),
)
"""Of attributes and quantization."""
