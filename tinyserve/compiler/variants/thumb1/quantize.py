# SPDX-License-Identifier: Apache-2.0
"""QUANTIZE of float32 without a division: Armv6-M and Cortex-M3 have no FPU."""

from tinyserve.compiler.variants.steps_f32 import candidates

__all__ = ["candidates"]
