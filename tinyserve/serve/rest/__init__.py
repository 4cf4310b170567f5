# SPDX-License-Identifier: Apache-2.0
"""The fleet over HTTP: the Open Inference Protocol, TensorFlow Serving's predict API, and pages for
people."""
