# SPDX-License-Identifier: Apache-2.0
"""float32 kernels for cores with a single-precision FPU: Cortex-M4F, M7 and M33."""
