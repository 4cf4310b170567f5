# SPDX-License-Identifier: Apache-2.0
"""Kernels for Armv6-M (Cortex-M0, M0+): no long multiply, no multiply-accumulate. See ``kernels/thumb1``."""
