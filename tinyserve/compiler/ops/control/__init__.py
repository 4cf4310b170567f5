# SPDX-License-Identifier: Apache-2.0
"""Operators that run subgraphs."""
