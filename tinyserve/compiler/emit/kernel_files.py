# SPDX-License-Identifier: Apache-2.0
"""Which kernel files a program needs: the headers it includes and, transitively, what those include."""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path

from tinyserve.errors import UsageError
from tinyserve.resources import package_directory

KERNEL_DIRECTORY = "kernels"
"""Where the copies lie, relative to the generated model.c."""

_ROOT = package_directory() / "kernels"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SYMBOL = re.compile(r"\bts_\w+")
_VERSION_DIGITS = 8
_VERSION = re.compile(rf"__[0-9a-f]{{{_VERSION_DIGITS}}}$")
_INCLUDE = re.compile(r'^([ \t]*#[ \t]*include[ \t]+")([^"]+)(")', re.MULTILINE)


def collect(paths: list[str], outside: tuple[Path, ...] = ()) -> dict[str, str]:
    """Texts of these kernel files (relative to ``tinyserve/kernels``, or to one of the
    directories ``outside``) and of all that they include.

    Keys are paths below the output directory. An include is found beside its file or from the root of the
    kernels; in the copy it is relative to its file, so that compilers need no include path. Raises
    UsageError for a kernel that does not exist.
    """
    found = _with_included(paths, outside)
    versions = _all_versions(_ROOT) | _versions(found)
    return {
        f"{KERNEL_DIRECTORY}/{path}": f"/* A kernel of tinyserve. */\n{_renamed(text, versions)}{text}"
        for path, text in sorted(found.items())
    }


def unversioned(symbol: str) -> str:
    """The name of an assembly function as its source spells it."""
    return _VERSION.sub("", symbol)


def _with_included(paths: list[str], outside: tuple[Path, ...] = ()) -> dict[str, str]:
    """Texts of files and of what they include."""
    found: dict[str, str] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        text = _find(path, outside).read_text(encoding="utf-8")
        waiting.extend(_resolve(path, match[1]) for match in _INCLUDE.findall(text))
        found[path] = _INCLUDE.sub(lambda match, path=path: _relative(path, match), text)  # type: ignore[misc]
    return found


def kernel_text(path: str) -> str:
    """One of the package's kernel files, as it is."""
    return (_ROOT / path).read_text(encoding="utf-8")


@cache
def _all_versions(root: Path) -> dict[str, str]:
    """Those of all the package's assembly. A header is the same for a model that calls none of it: models
    that are written into one directory share their kernels."""
    return _versions(_with_included([path.relative_to(root).as_posix() for path in root.rglob("*.S")]))


def _versions(files: dict[str, str]) -> dict[str, str]:
    """Names of the functions in assembly as the linker sees them: with a hash of their source and of what it
    includes. They are weak, so that models share them; two versions of one must not be shared."""
    versions: dict[str, str] = {}
    for path, text in files.items():
        if path.endswith(".S"):
            source = "\0".join(files[name] for name in sorted(_included(path, files)))
            digest = hashlib.sha256(source.encode()).hexdigest()[:_VERSION_DIGITS]
            versions |= {name: f"{name}__{digest}" for name in _SYMBOL.findall(_COMMENT.sub("", text))}
    return versions


def _included(path: str, files: dict[str, str]) -> set[str]:
    """The file and all that it includes."""
    seen: set[str] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            directory = posixpath.dirname(current)
            beside = (posixpath.join(directory, name) for _, name, _ in _INCLUDE.findall(files[current]))
            waiting.extend(path for path in map(posixpath.normpath, beside) if path in files)
    return seen


def _renamed(text: str, versions: dict[str, str]) -> str:
    """Definitions that give the functions named in ``text`` their names with a version."""
    used = sorted(set(_SYMBOL.findall(_COMMENT.sub("", text))) & versions.keys())
    return "".join(f"#define {name} {versions[name]}\n" for name in used)


def _find(path: str, outside: tuple[Path, ...]) -> Path:
    """The package's kernel of this path, else one from outside."""
    for root in (_ROOT, *outside):
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
