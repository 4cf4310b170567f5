"""Which kernel files a program needs: the headers it includes and, transitively, what those include."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from tinyserve.errors import UsageError
from tinyserve.ops import external

KERNEL_DIRECTORY = "kernels"
"""Where the copies lie, relative to the generated model.c."""

_ROOT = Path(__file__).resolve().parent.parent / "kernels"
_INCLUDE = re.compile(r'^([ \t]*#[ \t]*include[ \t]+")([^"]+)(")', re.MULTILINE)


def collect(paths: list[str]) -> dict[str, str]:
    """Texts of these kernel files (relative to ``tinyserve/kernels``, or to a directory of
    operators from outside) and of all that they include.

    Keys are paths below the output directory. An include is found beside its file or from the root of the
    kernels; in the copy it is relative to its file, so that compilers need no include path. Raises
    UsageError for a kernel that does not exist.
    """
    found: dict[str, str] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        text = _find(path).read_text(encoding="utf-8")
        waiting.extend(_resolve(path, match[1]) for match in _INCLUDE.findall(text))
        found[path] = _INCLUDE.sub(lambda match, path=path: _relative(path, match), text)  # type: ignore[misc]
    return {
        f"{KERNEL_DIRECTORY}/{path}": f"/* A kernel of tinyserve. */\n{found[path]}" for path in sorted(found)
    }


def _find(path: str) -> Path:
    """The package's kernel of this path, else one from outside."""
    for root in (_ROOT, *external.directories()):
        if (root / path).is_file():
            return root / path
    raise UsageError(f"there is no kernel file {path}", "an operator's header lies beside its Python file")


def _resolve(includer: str, name: str) -> str:
    """The path of an included file from the root of the kernels."""
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(includer), name))
    return beside if (_ROOT / beside).is_file() else posixpath.normpath(name)


def _relative(includer: str, match: re.Match[str]) -> str:
    path = posixpath.relpath(_resolve(includer, match[2]), posixpath.dirname(includer) or ".")
    return f"{match[1]}{path}{match[3]}"
