# SPDX-License-Identifier: Apache-2.0
"""The typed graph and the .tflite reader. Nothing outside this package knows FlatBuffers."""
