# SPDX-License-Identifier: Apache-2.0
"""Fleets and batches on the terminal."""
