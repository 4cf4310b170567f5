"""Operators that reduce over axes or windows."""
