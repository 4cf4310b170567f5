"""Accuracy over data sets."""
