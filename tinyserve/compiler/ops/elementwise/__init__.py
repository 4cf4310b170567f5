"""Operators on each element by itself."""
