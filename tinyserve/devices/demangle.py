# SPDX-License-Identifier: Apache-2.0
"""Names of C++ functions as people write them: the interpreter's kernels are C++."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from tinyserve import programs

PROGRAMS = ("c++filt", "arm-none-eabi-c++filt", "llvm-cxxfilt")
TIMEOUT_S = 20.0
_MANGLED = "_Z"


def demangled(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts by readable names, largest first. Overloads of a function are counted together; without one
    of PROGRAMS names stay as they are."""
    mangled = [name for name in counts if name.startswith(_MANGLED)]
    readable = dict(zip(mangled, _filtered(mangled), strict=True))
    found: dict[str, int] = {}
    for name, count in counts.items():
        shown = readable.get(name, name)
        found[shown] = found.get(shown, 0) + count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _filtered(names: list[str]) -> list[str]:
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None or not names:
        return names
    text = "".join(f"{name}\n" for name in names)
    try:
        result = programs.ask([program, "-p"], TIMEOUT_S, text=text)
    except (OSError, subprocess.TimeoutExpired):
        return names
    lines = result.stdout.splitlines()
    return lines if len(lines) == len(names) else names
