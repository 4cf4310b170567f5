# SPDX-License-Identifier: Apache-2.0
"""Kernels for Cortex-M4, M7 and M33 with the DSP extension."""
