# SPDX-License-Identifier: Apache-2.0
"""Bands: runs of layers that are computed row by row, so that the tensors between them need a few rows
each."""
