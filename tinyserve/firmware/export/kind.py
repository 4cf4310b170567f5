# SPDX-License-Identifier: Apache-2.0
"""What a kind of export is, and how kinds are found: by walking a package whose modules end in ``KIND``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Generic, TypeVar

Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Kind(Generic[Asked]):
    """A kind of export by its name on the command line; ``files`` gives their contents by path."""

    name: str
    summary: str
    files: Callable[[Asked], dict[str, bytes]]


@cache
def kinds_in(package: str) -> Mapping[str, Kind[object]]:
    """The kinds of the modules of a package, by name."""
    path = importlib.import_module(package).__path__
    modules = [importlib.import_module(info.name) for info in pkgutil.iter_modules(path, f"{package}.")]
    kinds = [module.KIND for module in modules if hasattr(module, "KIND")]
    return MappingProxyType({kind.name: kind for kind in sorted(kinds, key=lambda kind: kind.name)})
