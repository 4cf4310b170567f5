# SPDX-License-Identifier: Apache-2.0
"""Operators that reduce over axes or windows."""
