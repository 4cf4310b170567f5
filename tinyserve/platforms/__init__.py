# SPDX-License-Identifier: Apache-2.0
"""What differs between operating systems: locks, signals, process groups, terminals, names, places.

``platforms.here()`` is the one that this runs on. Nothing else in tinyserve asks which system it is, so that
what can't be run on the machine at hand stands in one module, and its branches are tested elsewhere.
"""

from __future__ import annotations

import sys
from functools import cache

from tinyserve.platforms.base import Platform


@cache
def here() -> Platform:
    """The system that this runs on; any that is neither Windows nor macOS is taken to be like Linux."""
    return named(sys.platform)


def named(name: str) -> Platform:
    """The system that ``sys.platform`` calls ``name``."""
    if name == "win32":
        from tinyserve.platforms.windows import Windows

        return Windows()
    if name == "darwin":
        from tinyserve.platforms.darwin import Darwin

        return Darwin()
    from tinyserve.platforms.posix import Posix

    return Posix()
