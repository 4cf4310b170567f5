# SPDX-License-Identifier: Apache-2.0
"""Decision trees as one operator."""
