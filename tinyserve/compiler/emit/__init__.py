# SPDX-License-Identifier: Apache-2.0
"""A program and its memory plan as C text."""
