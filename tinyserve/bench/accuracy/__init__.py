# SPDX-License-Identifier: Apache-2.0
"""Accuracy over data sets."""
