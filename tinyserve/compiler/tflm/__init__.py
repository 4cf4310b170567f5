# SPDX-License-Identifier: Apache-2.0
"""The engine tflm: the TensorFlow Lite Micro interpreter behind the functions that compiled models have.

Its parts are imported one by one: front ends in environments of their own ask for ``operators`` alone.
"""
