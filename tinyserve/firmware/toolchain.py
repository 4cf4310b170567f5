# SPDX-License-Identifier: Apache-2.0
"""Compilers: where they are and which flags a core needs. Facts behind the flags: docs/architecture.md."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from tinyserve import platforms, tool_versions
from tinyserve.boards.types import Core
from tinyserve.errors import ToolError, UsageError
from tinyserve.firmware.process import run

Name = Literal["zig", "gcc"]
VERSION_TIMEOUT_S = 20.0

# No multiplication is fused with an addition: floats are rounded as TFLM's on every core.
_COMMON = ("-std=c11", "-g", "-ffunction-sections", "-fdata-sections", "-ffp-contract=off")
_BARE = (
    "-ffreestanding",
    "-fomit-frame-pointer",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
)

# GCC 11 and 12 delete calls whose stores they wrote as offsets from NULL (tinyserve/codegen/emit.py).
_GCC = ("-fno-delete-null-pointer-checks",)

# LLVM 22 spills vectors that outlive a tail-predicated loop, and reloads them there with the last lanes
# masked: the next loop computes with zeros. The loops keep their predicates, as instructions of their own.
# (Not -tail-predication=disabled: loops that run once are then vectorized with a lane too few.)
_HELIUM = ("-mllvm", "-arm-loloops-disable-tailpred")


@dataclass(frozen=True)
class Toolchain:
    """A compiler driver set up for one core. ``said`` are its own words on its version."""

    name: str
    compiler: tuple[str, ...]
    target_flags: tuple[str, ...]
    compile_flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    said: str

    @property
    def identity(self) -> str:
        """Changes when what it compiles could."""
        return f"{self.compiler[0]} {self.said}"

    @property
    def runtime(self) -> str:
        """What links the compiler's own runtime library, which has floating point for cores without it. zig
        builds it when one core first needs it, which takes seconds."""
        return "-rtlib=compiler-rt" if self.name == "zig" else "-lgcc"

    @property
    def cxx_compiler(self) -> tuple[str, ...]:
        """The C++ compiler that belongs to the C compiler."""
        path = Path(self.compiler[0])
        if self.name == "zig":
            return (str(path), "c++")
        name = {"cc": "c++", "clang": "clang++"}.get(path.name, path.name.replace("gcc", "g++"))
        return (str(path.with_name(name)),)

    @property
    def cxx_flags(self) -> tuple[str, ...]:
        """The flags for C++ as interpreters for small targets are built: no exceptions, no RTTI."""
        kept = (flag for flag in self.compile_flags if flag not in ("-std=c11", "-ffreestanding"))
        return (*kept, "-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")

    @property
    def archiver(self) -> str:
        """The ar that belongs to a GCC; the system's own for the host."""
        path = Path(self.compiler[0])
        prefix, gcc, _ = path.name.rpartition("gcc")
        return str(path.with_name(f"{prefix}ar")) if gcc and prefix else "ar"


@dataclass(frozen=True)
class Flags:
    """The options of a compiler driver for one core, for builds that others run (PlatformIO, exports)."""

    target: tuple[str, ...]
    compile: tuple[str, ...]
    link: tuple[str, ...]


def zig_flags(core: Core) -> Flags:
    """For zig. Raises UsageError where it has no such core."""
    if not core.zig_target:
        raise UsageError(
            f"zig can't compile for {core.name}", "build with PlatformIO, which brings its compiler"
        )
    return Flags(
        target=("-target", core.zig_target, f"-mcpu={core.zig_cpu}"),
        compile=(*_COMMON, *_BARE, *(_HELIUM if "mve" in core.features else ()), "-fstack-size-section"),
        link=("-nostdlib", "-Wl,--gc-sections", "-Wl,--entry=Reset_Handler"),
    )


def gcc_flags(core: Core) -> Flags:
    """For a bare-metal GCC of any version: from 11 on for RISC-V, where later ones count the instructions of
    CSRs among the extensions unless they are told the older specification."""
    return Flags(
        target=tuple(core.gcc_flags),
        compile=(*_COMMON, *_BARE, "-fno-tree-loop-distribute-patterns", *_GCC),
        link=(*_of_libraries(core), "-nostdlib", "-Wl,--gc-sections"),
    )


def _of_libraries(core: Core) -> tuple[str, ...]:
    """The architecture without its small extensions, for which no toolchain has libraries: GCC would link
    those of 64 bits."""
    return tuple(
        flag.partition("_")[0] for flag in core.gcc_flags if flag.startswith("-march=rv") and "_" in flag
    )


def gcc_names(core: Core) -> tuple[str, ...]:
    """The names under which a bare-metal GCC for the core is looked for."""
    if core.port == "riscv":
        return (
            "riscv64-unknown-elf-gcc",
            "riscv-none-elf-gcc",
            "riscv32-unknown-elf-gcc",
            "riscv64-elf-gcc",  # Homebrew's and Arch's
        )
    return ("arm-none-eabi-gcc",)


def toolchain_for(core: Core, name: Name = "zig") -> Toolchain:
    """The toolchain that builds for the core: the system's C compiler for the host, else ``name``.

    Raises ToolError where it is not installed and UsageError where it has no such core.
    """
    if core.port == "host":
        return _host()
    if name == "gcc":
        return _gcc(core)
    return _zig(core)


def _host() -> Toolchain:
    system = platforms.here()
    flags = (*_COMMON, *_GCC, "-fno-math-errno")
    link = (*system.drops_unused, "-lm")
    if system.compilers_lack_headers and importlib.util.find_spec("ziglang") is not None:
        path = str(zig_path())
        return Toolchain("zig", (path, "cc"), (), flags, link, _said(path, "version"))
    for candidate in ("cc", "gcc", "clang"):
        found = shutil.which(candidate)
        if found:
            _check_host(found)
            return Toolchain(candidate, (found,), (), flags, link, _said(found))
    raise ToolError("no C compiler for this computer", system.installs["cc"])


def _zig(core: Core) -> Toolchain:
    flags = zig_flags(core)
    path = zig_path()
    said = _said(str(path), "version")
    return Toolchain("zig", (str(path), "cc"), flags.target, flags.compile, flags.link, said)


def zig_path() -> Path:
    """The zig binary of the ziglang package. Raises ToolError where it is not installed."""
    spec = importlib.util.find_spec("ziglang")
    if spec is not None and spec.origin is not None:
        for name in ("zig", "zig.exe"):
            path = Path(spec.origin).parent / name
            if path.is_file():
                return path
    raise ToolError("the cross compiler (ziglang) is not installed", "pip install 'tinyserve[embedded]'")


def _gcc(core: Core) -> Toolchain:
    names = gcc_names(core)
    for name in names:
        path = shutil.which(name)
        if path and core.gcc_flags:
            flags = gcc_flags(core)
            _check_core(path, flags.target, core.name)
            link = (*flags.link, *_quiet_link(path))
            return Toolchain("gcc", (path,), flags.target, flags.compile, link, _said(path))
    install = platforms.here().installs[names[0]]
    raise ToolError(f"{names[0]} is not installed", f"{install}, or --toolchain zig (pip only)")


@cache
def _check_core(path: str, target: tuple[str, ...], core: str) -> None:
    """Raises ToolError where the compiler is too old for the core: it is asked, so that no table of versions
    has to be right; and where it came without C's headers, as Debian packages it."""
    command = [path, *target, "-ffreestanding", "-x", "c", "-E", "-include", "stdint.h", os.devnull]
    finished = run(command, Path.cwd(), VERSION_TIMEOUT_S)
    if finished.status and "stdint.h" in finished.output:
        raise ToolError(
            f"{Path(path).name} {_number(path)} has no stdint.h: its C library is not installed",
            "apt install libnewlib-arm-none-eabi (picolibc for RISC-V: picolibc-riscv64-unknown-elf),"
            " or --toolchain zig",
        )
    if finished.status:
        said = next((line for line in finished.output.splitlines() if "error" in line), "it gives no reason")
        raise ToolError(
            f"{Path(path).name} {_number(path)} can't compile for {core}: {said[:200]}",
            f"{remark(path)}install a newer one, or --toolchain zig",
        )


@cache
def _quiet_link(path: str) -> tuple[str, ...]:
    """GNU ld warns from 2.39 on of segments that can be written and run, as all are in RAM; older ones have
    neither the warning nor the option."""
    option = "--no-warn-rwx-segments"
    known = option in run([path, "-Wl,--help"], Path.cwd(), VERSION_TIMEOUT_S).output
    return (f"-Wl,{option}",) if known else ()


def _number(path: str) -> str:
    """The compiler's version, "12.2.1"."""
    return (
        run([path, "-dumpfullversion"], Path.cwd(), VERSION_TIMEOUT_S).output.strip() or "of no known version"
    )


@cache
def _check_host(path: str) -> None:
    """Raises ToolError where this computer's compiler has no C11, or came without C's headers."""
    command = [path, *_COMMON, "-x", "c", "-E", os.devnull, "-include"]
    if not run([*command, "stdint.h"], Path.cwd(), VERSION_TIMEOUT_S).status:
        return
    finished = run(command[:-1], Path.cwd(), VERSION_TIMEOUT_S)
    lines = _said(path).splitlines()
    tool = tool_versions.identify(_said(path)) or (lines[0] if lines else Path(path).name)
    install = platforms.here().installs["cc"]
    if not finished.status:
        raise ToolError(
            f"{path} ({tool}) has no stdint.h: the C library's headers are not installed", install
        )
    said = next((line for line in finished.output.splitlines() if "error" in line), "it gives no reason")
    raise ToolError(f"{path} ({tool}) can't compile C11: {said[:200]}", f"{remark(path)}{install}")


def remark(path: str) -> str:
    """What to know of the version of a compiler that has failed, as the beginning of a hint."""
    found = tool_versions.remark(_said(path, "version" if Path(path).stem == "zig" else "--version"))
    return f"{found}; " if found else ""


@cache
def _said(path: str, argument: str = "--version") -> str:
    return run([path, argument], Path.cwd(), VERSION_TIMEOUT_S).output.strip()
