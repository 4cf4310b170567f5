# SPDX-License-Identifier: Apache-2.0
"""ONNX models as float .tflite: our own import, with onnxruntime as the reference."""
