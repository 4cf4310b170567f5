"""Compiled models on this computer."""
