# SPDX-License-Identifier: Apache-2.0
"""Counts in sentences: one layer, two layers."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """'1 layer', '1,200 layers'. ``many`` where it is not ``one`` with an s: '2 classes', '3 samples are'."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
