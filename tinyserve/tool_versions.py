# SPDX-License-Identifier: Apache-2.0
"""Compilers and emulators by what they say of themselves: which versions were tried, and words for others.

A version is never a reason to refuse: tools are asked what they can. It is what to look at first where one
fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """A program that says ``version`` ("14.0.6") of itself. ``name`` is one of TRIED's, or another's."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def number(self) -> tuple[int, ...]:
        """Major and minor number, to compare."""
        return tuple(int(part) for part in self.version.split("."))[:2]


TRIED = {
    "gcc": ((12, 2), (16, 2)),
    "clang": ((14, 0), (21, 1)),
    "arm-none-eabi-gcc": ((12, 2), (15, 3)),
    "riscv64-unknown-elf-gcc": ((12, 2), (14, 2)),
    "QEMU": ((7, 2), (11, 1)),
    "zig": ((0, 17), (0, 17)),
}
"""The oldest and the newest that the tests were run with; docs/systems.md says what of them."""

_VERSION = r"(\d+(?:\.\d+)+)"
_BANNERS = (
    # Apple counts its clang by Xcode: 15.0 is LLVM's 16.
    ("Apple clang", re.compile(rf"^Apple (?:clang|LLVM) version {_VERSION}")),
    ("clang", re.compile(rf"\bclang version {_VERSION}")),
    ("QEMU", re.compile(rf"^QEMU emulator version {_VERSION}")),
    ("arm-none-eabi-gcc", re.compile(rf"^arm-none-eabi-(?:gcc|g\+\+)\S* \(.*\) {_VERSION}")),
    ("riscv64-unknown-elf-gcc", re.compile(rf"^riscv(?:64-unknown|-none)-elf-gcc\S* \(.*\) {_VERSION}")),
    ("gcc", re.compile(rf"^(?:\S*-)?(?:gcc|cc|g\+\+|c\+\+)\S* \(.*\) {_VERSION}")),
    ("zig", re.compile(rf"^{_VERSION}(?:-dev\S*)?$")),
)


def identify(said: str) -> Tool | None:
    """The tool whose ``--version`` (zig: ``version``) this is; None for one that is not known."""
    for line in said.splitlines()[:3]:
        for name, pattern in _BANNERS:
            found = pattern.search(line.strip())
            if found:
                return Tool(name, found[1])
    return None


def remark(said: str) -> str:
    """What to know of the version that a tool says of itself: that it is beyond what was tried. "" where it
    is not, and for programs that are not known."""
    tool = identify(said)
    if tool is None:
        return ""
    if tool.name not in TRIED:
        return f"tinyserve was not tried with {tool.name}"
    oldest, newest = TRIED[tool.name]
    if tool.number < oldest:
        return f"{tool} is older than {_text(oldest)}, the oldest {tool.name} that tinyserve was tried with"
    if tool.number > newest:
        return f"{tool} is newer than {_text(newest)}, the newest {tool.name} that tinyserve was tried with"
    return ""


def _text(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))
