# SPDX-License-Identifier: Apache-2.0
"""Operators from outside the package: directories of one Python file and one C header per operator.

The directories are in the environment, so that worker processes and later steps see the same operators.
"""

from __future__ import annotations

import importlib.util
import os
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tinyserve.compiler.graph.schema import BUILTIN_NAMES
from tinyserve.compiler.graph.types import Operator, Options
from tinyserve.compiler.ops.support.base import Lowering, Op
from tinyserve.errors import TinyserveError, UsageError
from tinyserve.resources import package_directory

VARIABLE = "TINYSERVE_OPS"
"""Directories, separated as in PATH."""

_KERNELS = package_directory() / "kernels"
_SEE = "see docs/guide/custom-operators.md"


def directories() -> tuple[Path, ...]:
    """The directories in use, in the order in which they were named."""
    return tuple(Path(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name)


def use(directory: Path) -> None:
    """Adds a directory for this process and those it starts.

    Raises UsageError where there is no operator in it, its Python fails, or a name of its is taken.
    """
    directory = directory.resolve()
    if directory in directories():
        return
    if not directory.is_dir():
        what = "a file, not a directory" if directory.exists() else "no such directory"
        raise UsageError(f"{directory}: {what}", "name a directory with an operator's .py and .h")
    for header in directory.glob("*.h"):
        if (_KERNELS / header.name).exists():
            raise UsageError(f"{header}: a kernel of tinyserve has this name", "rename the header")
    operators(directory)
    os.environ[VARIABLE] = os.pathsep.join(map(str, (*directories(), directory)))


@cache
def operators(directory: Path) -> dict[str, Op]:
    """The operators of all Python files of a directory that end in ``OPS = (...)``.

    Raises UsageError as ``use`` does.
    """
    found: dict[str, Op] = {}
    for file in sorted(directory.glob("*.py")):
        for op in getattr(_module(file), "OPS", ()):
            if not isinstance(op, Op) or not op.name:
                raise UsageError(f"{file}: OPS holds something that is no Op with a name", _SEE)
            if op.custom == (op.name in BUILTIN_NAMES):
                reason = "is a builtin of TFLite" if op.custom else "is no builtin of TFLite"
                raise UsageError(f"{file}: {op.name} {reason}", f"set custom = {not op.custom} in its class")
            found[op.name] = _Outside(op, file)
    if not found:
        raise UsageError(f"{directory}: no Python file with OPS = (...)", _SEE)
    return found


def headers(paths: Iterable[str]) -> list[Path]:
    """Those of the kernel files that are not the package's."""
    outside = [path for path in paths if not (_KERNELS / path).exists()]
    return [
        directory / path for path in outside for directory in directories() if (directory / path).exists()
    ]


class _Outside(Op):
    """An operator whose own errors are reported with file and line: they are no fault of tinyserve."""

    def __init__(self, op: Op, file: Path) -> None:
        self._op, self._file = op, file
        self.name, self.custom, self.types, self.limits, self.roles = (
            op.name, op.custom, op.types, op.limits, op.roles,
        )  # fmt: skip

    def attributes(self, options: Options) -> Any:
        with self._told("attributes"):
            return self._op.attributes(options)

    def check(self, op: Operator) -> None:
        with self._told("check"):
            self._op.check(op)

    def macs(self, op: Operator) -> int:
        with self._told("macs"):
            return self._op.macs(op)

    def lower(self, op: Operator, lowering: Lowering) -> None:
        with self._told("lower"):
            self._op.lower(op, lowering)

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
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{file}: {type(error).__name__}: {error}", "run the file with python") from error
    return module
