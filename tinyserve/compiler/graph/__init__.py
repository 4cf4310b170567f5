"""The typed graph and the .tflite reader. Nothing outside this package knows FlatBuffers."""
