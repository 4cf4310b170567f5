# SPDX-License-Identifier: Apache-2.0
"""How many devices of a fleet have a new model after each stage."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tinyserve.errors import UsageError

CANARY = "1"
ALL = "all"
_SIZE = re.compile(r"([1-9][0-9]{0,6})(%?)\Z")


def sizes(canary: str, then: Sequence[str], devices: int) -> list[int]:
    """Devices after each stage: ``canary``, then those of ``then``: a number, a share of the fleet ("10%",
    rounded up) or "all". Stages that add none are left out.

    Raises UsageError for anything else, and where a later stage would be smaller.
    """
    made: list[int] = []
    named = [("--canary", canary), *(("--then", text) for text in then)]
    for option, text in named:
        size = _size(option, text, devices)
        if made and size < made[-1]:
            raise UsageError(f"--then {text}: is fewer than the stage before it", "name stages that grow")
        made.append(size)
    return sorted(set(made))


def _size(option: str, text: str, devices: int) -> int:
    if text == ALL:
        return devices
    found = _SIZE.match(text)
    if found is None or (found[2] and int(found[1]) > 100):
        raise UsageError(f"{option} {text}: no number of devices", "write 5, 10% or all")
    number = int(found[1])
    return min(devices, -(-devices * number // 100) if found[2] else number)
