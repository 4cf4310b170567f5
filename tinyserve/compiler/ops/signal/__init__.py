# SPDX-License-Identifier: Apache-2.0
"""Signal operators of audio front ends."""
