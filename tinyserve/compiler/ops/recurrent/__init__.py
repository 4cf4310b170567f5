"""Recurrent operators, and state across inferences."""
