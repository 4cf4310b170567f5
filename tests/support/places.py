# SPDX-License-Identifier: Apache-2.0
"""Where things are in the checkout."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
KERNELS = CHECKOUT / "tinyserve" / "kernels"
TESTS = CHECKOUT / "tests"
