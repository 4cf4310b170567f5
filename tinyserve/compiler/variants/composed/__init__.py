# SPDX-License-Identifier: Apache-2.0
"""Operators computed by the kernels of others, on every core: what remains are copies."""
