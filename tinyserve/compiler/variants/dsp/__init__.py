"""Kernels for Cortex-M4, M7 and M33 with the DSP extension."""
