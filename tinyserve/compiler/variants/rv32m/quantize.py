# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE of float32 without a division: RV32IMC has no FPU."""

from tinyserve.compiler.variants.steps_f32 import candidates

__all__ = ["candidates"]
