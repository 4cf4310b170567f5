# SPDX-License-Identifier: Apache-2.0
"""Builds the C that runs inside an emulator: a shared library without libc, once per machine."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tinyserve import platforms, programs
from tinyserve.cache import cache_directory, put
from tinyserve.errors import ToolError

COMPILE_TIMEOUT_S = 120.0
_FLAGS = ("-std=c11", "-O2", "-shared", "-fPIC", "-nostdlib", "-ffreestanding", "-fvisibility=hidden")


def built(source: Path, *defines: str) -> Path:
    """The shared library of a C file, built if this machine's cache does not hold it; where the cache can't
    be written, for this process alone.

    ``defines`` are NAME=VALUE. Raises ToolError without a compiler.
    """
    system = platforms.here()
    # What the emulator itself provides is found when it loads the library.
    flags = (*_FLAGS, *system.late_binding, *(f"-D{define}" for define in defines))
    what = repr((flags, system.kind())).encode()
    key = hashlib.sha256(source.read_bytes() + what).hexdigest()[:16]
    name = f"{source.stem}-{key}{system.library_suffix}"
    try:
        return _kept(cache_directory() / name, source, flags)
    except OSError as error:
        try:
            return _kept(_own_directory() / name, source, flags)
        except OSError:
            raise ToolError(
                f"{cache_directory()}: cannot keep the emulator's hooks there: {error.strerror}",
                "set TINYSERVE_CACHE (or TMPDIR) to a directory that you can write to",
            ) from error


def _kept(path: Path, source: Path, flags: tuple[str, ...]) -> Path:
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # Built beside its place and renamed: another process never loads half a library.
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        part = Path(scratch) / path.name
        _compile(source, flags, part)
        put(part, path)
    return path


@cache
def _own_directory() -> Path:
    """Of this process, removed at its end."""
    directory = tempfile.mkdtemp(prefix="tinyserve-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


def _compile(source: Path, flags: tuple[str, ...], output: Path) -> None:
    failures = []
    for compiler in _compilers():
        command = [*compiler, *flags, "-o", str(output), str(source)]
        try:
            result = programs.ask(command, COMPILE_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            failures.append(f"{compiler[-1]}: {error}")
            continue
        if result.returncode == 0 and output.exists():
            return
        failures.append(f"{compiler[-1]}: {result.stderr.strip()[-300:]}")
    raise ToolError(
        "cannot build the emulator's hooks: " + ("; ".join(failures) or "no C compiler found"),
        "pip install ziglang",
    )


def _compilers() -> list[list[str]]:
    compilers = [[path] for name in ("cc", "gcc", "clang") if (path := shutil.which(name))]
    if find_spec("ziglang"):
        compilers.insert(0, [sys.executable, "-m", "ziglang", "cc"])
    return compilers
