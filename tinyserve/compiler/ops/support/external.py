# SPDX-License-Identifier: Apache-2.0
"""Operators from outside the package: directories of one Python file and one C header per operator.

A model is compiled with those that its ``Target`` names; nothing else remembers them.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tinyserve.compiler.graph.schema import BUILTIN_NAMES
from tinyserve.compiler.graph.types import Node, Options
from tinyserve.compiler.ops.support.base import Lowering, OpDef
from tinyserve.errors import TinyserveError, UsageError
from tinyserve.resources import package_directory

_KERNELS = package_directory() / "kernels"
_SEE = "see docs/guide/custom-operators.md"


def checked(directories: Iterable[Path]) -> tuple[Path, ...]:
    """The directories, absolute and each once, for ``Target.operators``.

    Raises UsageError where there is no operator in one, its Python fails, or a name of its is taken.
    """
    found = dict.fromkeys(directory.resolve() for directory in directories)
    for directory in found:
        if not directory.is_dir():
            what = "a file, not a directory" if directory.exists() else "no such directory"
            raise UsageError(f"{directory}: {what}", "name a directory with an operator's .py and .h")
        for header in directory.glob("*.h"):
            if (_KERNELS / header.name).exists():
                raise UsageError(f"{header}: a kernel of tinyserve has this name", "rename the header")
        operators(directory)
    return tuple(found)


def files(directories: Iterable[Path]) -> list[Path]:
    """The Python files and headers of the directories: what results depend on."""
    return [file for directory in directories for file in sorted(directory.glob("*.[hp]*")) if file.is_file()]


@cache
def operators(directory: Path) -> dict[str, OpDef]:
    """The operators of all Python files of a directory that end in ``OPS = (...)``.

    Raises UsageError as ``checked`` does.
    """
    found: dict[str, OpDef] = {}
    for file in sorted(directory.glob("*.py")):
        for definition in getattr(_module(file), "OPS", ()):
            if not isinstance(definition, OpDef) or not definition.name:
                raise UsageError(f"{file}: OPS holds something that is no OpDef with a name", _SEE)
            if definition.custom == (definition.name in BUILTIN_NAMES):
                reason = "is a builtin of TFLite" if definition.custom else "is no builtin of TFLite"
                raise UsageError(
                    f"{file}: {definition.name} {reason}",
                    f"set custom = {not definition.custom} in its class",
                )
            found[definition.name] = _Outside(definition, file)
    if not found:
        raise UsageError(f"{directory}: no Python file with OPS = (...)", _SEE)
    return found


def headers(paths: Iterable[str], directories: Iterable[Path]) -> list[Path]:
    """Those of the kernel files that are not the package's."""
    outside = [path for path in paths if not (_KERNELS / path).exists()]
    return [directory / path for path in outside for directory in directories if (directory / path).exists()]


class _Outside(OpDef):
    """An operator whose own errors are reported with file and line: they are no fault of tinyserve."""

    def __init__(self, definition: OpDef, file: Path) -> None:
        self._definition, self._file = definition, file
        self.name, self.custom, self.types, self.limits = (
            definition.name, definition.custom, definition.types, definition.limits,
        )  # fmt: skip
        self.inputs, self.outputs = definition.inputs, definition.outputs
        self.names_constants = definition.names_constants

    def attributes(self, options: Options) -> Any:
        with self._told("attributes"):
            return self._definition.attributes(options)

    def check(self, node: Node) -> None:
        with self._told("check"):
            self._definition.check(node)

    def macs(self, node: Node) -> int:
        with self._told("macs"):
            return self._definition.macs(node)

    def lower(self, node: Node, lowering: Lowering) -> None:
        with self._told("lower"):
            self._definition.lower(node, lowering)

    @contextmanager
    def _told(self, method: str) -> Iterator[None]:
        try:
            yield
        except TinyserveError:
            raise
        except Exception as error:
            lines = [
                f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(self._file)
            ]
            place = f"{self._file}:{lines[-1]}" if lines else f"{self._file}"
            missing = isinstance(error, NotImplementedError)
            what = "is missing" if missing else f"failed: {type(error).__name__}: {error}"
            raise UsageError(f"{place}: {self.name}'s {method} {what}", _SEE) from error


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tinyserve_external_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names in annotations
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{file}: {type(error).__name__}: {error}", "run the file with python") from error
    return module
