# SPDX-License-Identifier: Apache-2.0
"""Builds a compiled model with the system's C compiler: a shared library, or a sanitized program."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tinyserve import locks, platforms, programs, tool_versions
from tinyserve.cache import cache_directory, keep_newest, put
from tinyserve.compiler.compile import Compiled, write
from tinyserve.errors import FileSystemError, ToolError

COMPILE_TIMEOUT_S = 300
_OWN_KERNEL = "see your operator's header, and the names and types of the parameters that its lower gives"
KEPT_BUILDS = 400
GLUE = Path(__file__).with_name("glue.c")

_COMMON = ["-std=c11", "-ffp-contract=off", "-fno-delete-null-pointer-checks"]
_LIBRARY = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden"]
# For models compiled for vector units: this very processor's. The same bytes (contraction stays off).
_FAST = ["-O3", "-march=native"]
_SANITIZED = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DTS_MAIN"]


def build(compiled: Compiled, sanitize: bool = False) -> Path:
    """The shared library of a model (with ``sanitize`` an executable under ASan and UBSan), from the cache
    where it was built before. Raises ToolError without a compiler, or where it refuses the sources."""
    compiler = find_compiler(sanitize)
    flags = [*_COMMON, *(_SANITIZED if sanitize else _LIBRARY), *_defines(compiled)]
    if "host" in compiled.program.target.features and not sanitize:
        flags += [*_native(compiler), f"-DTS_CPU_{_processor()}"]
    suffix = "" if sanitize else platforms.here().library_suffix
    path = cache_directory() / "host" / f"{compiled.name}-{_key(compiled, compiler, flags)}{suffix}"
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        keep_newest(path.parent, KEPT_BUILDS)
        # Built beside its place and renamed: another process never loads half a library.
        with locks.scratch("build-", path.parent) as scratch:
            write(compiled, scratch)
            shutil.copy(GLUE, scratch)
            hint = _OWN_KERNEL if compiled.program.target.operators else "set CC to another C compiler"
            remark = tool_versions.remark(_version(compiler))
            hint = f"{remark}; {hint}" if remark else hint
            _compile([*compiler, *flags], [*compiled.sources.compile, GLUE.name], scratch, hint)
            put(scratch / "a.out", path)
    except (OSError, FileSystemError) as error:
        cause = error.__cause__ if isinstance(error, FileSystemError) else error
        if not isinstance(cause, OSError):
            raise
        raise FileSystemError(
            f"{path.parent}: cannot keep the host build there: {cause.strerror}",
            "free some space, or set TINYSERVE_CACHE to a directory that you can write to",
        ) from error
    return path


def find_compiler(sanitize: bool = False) -> tuple[str, ...]:
    """The command of a C compiler: CC, cc, clang, gcc, or zig's from PyPI (it has no sanitizers), which is
    the first where the others lack a C library. Raises ToolError where there is none."""
    system = platforms.here()
    named = os.environ.get("CC", "").strip()
    if named:
        try:
            return tuple(system.words(named))
        except ValueError as error:
            raise ToolError(f"CC={named}: {error}", "set CC to a C compiler, with its options") from error
    found: list[tuple[str, ...]] = [
        (path,) for name in ("cc", "clang", "gcc") if (path := shutil.which(name))
    ]
    if importlib.util.find_spec("ziglang") and not sanitize:
        found.insert(
            0 if system.compilers_lack_headers else len(found), (sys.executable, "-m", "ziglang", "cc")
        )
    if found:
        return found[0]
    raise ToolError(
        "no C compiler found (looked for cc, clang, gcc" + (")" if sanitize else " and ziglang)"),
        f"install one ({system.installs['cc']})" + ("" if sanitize else ", or `pip install ziglang`"),
    )


def _defines(compiled: Compiled) -> list[str]:
    prefix = f"ts_{compiled.name}_"
    return [
        f'-DTS_HEADER="{compiled.name}.h"',
        f"-DTS_PREFIX={prefix}",
        f"-D{prefix.upper()}PROFILE",
        *(["-DTS_HOST_EVENTS"] if compiled.program.events.sources else []),
        *([f"-DTS_HOST_ROWS={fed.height}"] if (fed := compiled.program.fed_rows) is not None else []),
    ]


def _key(compiled: Compiled, compiler: tuple[str, ...], flags: list[str]) -> str:
    """A hash of all that the build depends on."""
    digest = hashlib.sha256(repr((compiler, _version(compiler), flags)).encode())
    digest.update(GLUE.read_bytes())
    for path, content in sorted(compiled.sources.files.items()):
        data = content.encode() if isinstance(content, str) else content
        digest.update(f"{path}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:24]


@cache
def _native(compiler: tuple[str, ...]) -> list[str]:
    """The flags for this very processor; where the compiler knows no such thing, for any."""
    command = [*compiler, *_FAST, "-x", "c", "-E", os.devnull]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if not subprocess.run(command, capture_output=True, timeout=60, check=False).returncode:
            return _FAST
    return _FAST[:1]


@cache
def _processor() -> str:
    """A hash of what the processor can do: a fast build is of use on its kind only."""
    return hashlib.sha256(platforms.here().processor().encode()).hexdigest()[:12]


@cache
def _version(compiler: tuple[str, ...]) -> str:
    try:
        result = programs.ask([*compiler, "--version"], 60)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return result.stdout


def _compile(command: list[str], sources: list[str], directory: Path, hint: str) -> None:
    full = [*command, *sources, "-o", "a.out", "-lm"]
    try:
        result = programs.ask(full, COMPILE_TIMEOUT_S, directory=directory)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{command[0]}: {error}", "set CC to a working C compiler") from error
    if result.returncode:
        raise ToolError(
            f"{' '.join(full)}\nfailed with status {result.returncode}:\n{result.stderr[-3000:]}",
            hint,
        )
