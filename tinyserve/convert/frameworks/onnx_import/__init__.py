"""ONNX models as float .tflite: our own import, with onnxruntime as the reference."""
