# SPDX-License-Identifier: Apache-2.0
"""Measures firmware: scenarios, counts, accuracy, energy, and a matrix of models and boards."""
