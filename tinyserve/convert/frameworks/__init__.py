# SPDX-License-Identifier: Apache-2.0
"""One front end per framework: from a trained model to a float32 .tflite."""
