# SPDX-License-Identifier: Apache-2.0
"""Kernels that read weights of four bits, for every instruction set with dot products of rows."""
