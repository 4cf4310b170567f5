# SPDX-License-Identifier: Apache-2.0
"""The ways in which the emitted C is built: compilers, optimization levels, cores, and whose flags.

"Product" flags are those of ``bench`` and the exports. A "stranger" compiles model.c with flags of his own,
GNU C and none of ours, so that what we rely on must stand in the source.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import product
from typing import Literal

from tinyserve import boards
from tinyserve.compiler.host.model import FAST
from tinyserve.compiler.program import PORTABLE, Target
from tinyserve.firmware.toolchain import gcc_flags, zig_flags, zig_path

LEVELS = ("-O1", "-O2", "-O3", "-Os")
CORES = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc")
_ZIG = (str(zig_path()), "cc")
_HOST_COMPILERS = {"gcc": ("gcc",), "clang": ("clang",), "zig": _ZIG}
_PRODUCT = (
    "-std=c11",
    "-ffp-contract=off",
    "-fno-delete-null-pointer-checks",
)  # as the host's builds have them
_RUNTIME = ("-ffreestanding", "-fno-tree-loop-distribute-patterns")
_STRANGER = ("-std=gnu11", "-ffunction-sections", "-fdata-sections")


@dataclass(frozen=True)
class Build:
    """A compiler with its flags, for this computer ("host") or an emulated core."""

    name: str
    core: str
    compiler: tuple[str, ...]
    flags: tuple[str, ...]
    target: Target
    link: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()
    """Further flags for what stands in for the C library, of which loops must not become calls."""

    @property
    def missing(self) -> str:
        """What it takes and this computer has not; empty where it can run."""
        needed = [self.compiler[0], *(["qemu-system-arm"] if self.core == "cortex-m55" else [])]
        return ", ".join(name for name in needed if shutil.which(name) is None)


def host_builds() -> list[Build]:
    """Portable kernels under every compiler and level, and the kernels for this computer's vectors."""
    builds = []
    for (name, command), level in product(_HOST_COMPILERS.items(), LEVELS):
        builds.append(Build(f"host {name} {level}", "host", command, (*_STRANGER, level), PORTABLE))
        if name != "zig":  # the product takes it for boards only where another compiler is to be had
            flags = (*_PRODUCT, level, "-march=native")
            builds.append(Build(f"host {name} {level} fast", "host", command, flags, FAST))
            ram = Target(optimize="ram")  # copies between buffers that start within each other
            builds.append(Build(f"host {name} {level} ram", "host", command, (*_STRANGER, level), ram))
    return builds


def core_builds(core: str) -> list[Build]:
    """zig and GCC for one core, with the product's flags, and GCC with a stranger's."""
    made = boards.load(core).core
    target = Target(frozenset(made.features))
    flags = zig_flags(made)
    builds = []
    for level in LEVELS:
        compile = (*flags.target, *_without_debug(flags.compile), level)
        link = (*flags.target, "-rtlib=compiler-rt")
        builds.append(Build(f"{core} zig {level}", core, _ZIG, compile, target, link))
    if made.port == "cortex_m":
        theirs = gcc_flags(made)
        own: dict[Literal["product", "stranger"], tuple[str, ...]] = {
            "product": _without_debug(theirs.compile),
            "stranger": _STRANGER,
        }
        for level, whose in product(LEVELS, own):
            compile = (*theirs.target, *own[whose], level)
            name = f"{core} gcc {level} {whose}"
            link = (*theirs.target, "-lgcc")
            builds.append(Build(name, core, ("arm-none-eabi-gcc",), compile, target, link, _RUNTIME))
    return builds


def _without_debug(flags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(flag for flag in flags if flag not in ("-g", "-fstack-size-section"))


def all_builds() -> list[Build]:
    """Everything that `make soak` goes through."""
    return [*host_builds(), *(build for core in CORES for build in core_builds(core))]
