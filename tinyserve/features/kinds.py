# SPDX-License-Identifier: Apache-2.0
"""All kinds of steps: each module adds its own to ``build``."""

from __future__ import annotations

from tinyserve.features import columns, images
from tinyserve.features.steps import build

MODULES = (columns, images)

__all__ = ["MODULES", "build"]
