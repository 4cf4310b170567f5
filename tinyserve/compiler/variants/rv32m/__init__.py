# SPDX-License-Identifier: Apache-2.0
"""Kernels for RV32 with multiplication (RV32IMC, RV32IMAC): blocks of sums in its 31 registers. See
``kernels/rv32m``.
"""
