"""Operators from outside the package: directories of one Python file and one C header per operator.

The directories are in the environment, so that worker processes and later steps see the same operators.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from types import ModuleType

from tinyserve.errors import UsageError
from tinyserve.ops.base import Op

VARIABLE = "TINYSERVE_OPS"
"""Directories, separated as in PATH."""

_KERNELS = Path(__file__).resolve().parent.parent / "kernels"
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
        raise UsageError(f"{directory}: no such directory", "name a directory with an operator's .py and .h")
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
            found[op.name] = op
    if not found:
        raise UsageError(f"{directory}: no Python file with OPS = (...)", _SEE)
    return found


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tinyserve_external_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{file}: {type(error).__name__}: {error}", "run the file with python") from error
    return module
