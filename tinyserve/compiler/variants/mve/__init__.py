# SPDX-License-Identifier: Apache-2.0
"""Helium (MVE integer) kernels: Cortex-M55 and M85. C with intrinsics in ``kernels/mve``."""
