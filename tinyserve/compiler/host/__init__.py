# SPDX-License-Identifier: Apache-2.0
"""Compiled models on this computer."""
