# SPDX-License-Identifier: Apache-2.0
"""Feature steps between a sensor and a model: custom operators of tinyserve's own, which TFLM lacks."""
