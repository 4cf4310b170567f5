"""Budgets, baselines and comparisons."""
