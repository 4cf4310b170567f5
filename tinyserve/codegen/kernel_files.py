"""Which kernel files a program needs: the headers it includes and, transitively, what those include."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

KERNEL_DIRECTORY = "kernels"
"""Where the copies lie, relative to the generated model.c."""

_ROOT = Path(__file__).resolve().parent.parent / "kernels"
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)


def collect(paths: list[str]) -> dict[str, str]:
    """Texts of these kernel files (relative to ``tinyserve/kernels``) and of all that they include.

    Keys are paths below the output directory. Raises FileNotFoundError for a kernel that does not exist.
    """
    found: dict[str, str] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        text = (_ROOT / path).read_text(encoding="utf-8")
        found[path] = text
        waiting.extend(_resolve(path, name) for name in _INCLUDE.findall(text))
    return {
        f"{KERNEL_DIRECTORY}/{path}": f"/* A kernel of tinyserve. */\n{found[path]}" for path in sorted(found)
    }


def _resolve(includer: str, name: str) -> str:
    """The path of an include, which is relative to the file that has it."""
    parts: list[str] = []
    for part in (PurePosixPath(includer).parent / name).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
