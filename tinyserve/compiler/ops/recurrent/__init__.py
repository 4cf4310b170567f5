# SPDX-License-Identifier: Apache-2.0
"""Recurrent operators, and state across inferences."""
