# SPDX-License-Identifier: Apache-2.0
"""Budgets, baselines and comparisons."""
