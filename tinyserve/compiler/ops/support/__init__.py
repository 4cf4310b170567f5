# SPDX-License-Identifier: Apache-2.0
"""What operators share: checks, attributes, quantization parameters, kernel calls."""
