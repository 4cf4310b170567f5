"""Operators by name. Every module of this package that defines ``OPS`` is found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from tinyserve.ops.base import Op


@cache
def registry() -> dict[str, Op]:
    """All operators, by TFLite builtin name or custom code."""
    found: dict[str, Op] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for op in getattr(module, "OPS", ()):
            found[op.name] = op
    return found
