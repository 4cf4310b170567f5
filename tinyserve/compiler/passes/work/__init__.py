# SPDX-License-Identifier: Apache-2.0
"""How much work an inference is: multiply-accumulates, and how often loops turn."""
