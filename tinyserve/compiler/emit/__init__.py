"""A program and its memory plan as C text."""
