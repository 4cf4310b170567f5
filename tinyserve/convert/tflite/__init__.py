# SPDX-License-Identifier: Apache-2.0
""".tflite files as conversion reads, writes and changes them."""
