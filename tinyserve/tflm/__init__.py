"""The engine tflm: the TensorFlow Lite Micro interpreter behind the functions that compiled models have."""

from tinyserve.tflm.generate import interpret

__all__ = ["interpret"]
