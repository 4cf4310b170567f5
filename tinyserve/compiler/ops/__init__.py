# SPDX-License-Identifier: Apache-2.0
"""Operators by name. Every module of this package that defines ``OPS`` is found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from tinyserve.compiler.ops.support import external
from tinyserve.compiler.ops.support.base import OpDef
from tinyserve.errors import UsageError


@cache
def registry(directories: tuple[Path, ...] = ()) -> dict[str, OpDef]:
    """All operators, by TFLite builtin name or custom code: the package's, and those of directories from
    outside.

    Raises UsageError where a directory has an operator whose name is taken, or is no such directory.
    """
    found: dict[str, OpDef] = {}
    for info in pkgutil.walk_packages(__path__, f"{__name__}."):
        module = importlib.import_module(info.name)
        for definition in getattr(module, "OPS", ()):
            found[definition.name] = definition
    for directory in external.checked(directories):
        for name, definition in external.operators(directory).items():
            if name in found:
                raise UsageError(
                    f"{directory}: there is an operator {name} already", "give yours another name"
                )
            found[name] = definition
    return found
