# SPDX-License-Identifier: Apache-2.0
"""From a .tflite to C: graph, passes, kernels, memory plan, emitted code."""
