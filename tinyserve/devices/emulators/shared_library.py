# SPDX-License-Identifier: Apache-2.0
"""Builds the C that runs inside an emulator: a shared library without libc, once per machine."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tinyserve import platforms
from tinyserve.cache import cache_directory
from tinyserve.errors import ToolError

COMPILE_TIMEOUT_S = 120.0
_FLAGS = ("-std=c11", "-O2", "-shared", "-fPIC", "-nostdlib", "-ffreestanding", "-fvisibility=hidden")


def built(source: Path, *defines: str) -> Path:
    """The shared library of a C file, built if this machine's cache does not hold it.

    ``defines`` are NAME=VALUE. Raises ToolError without a compiler or a cache that can be written.
    """
    system = platforms.here()
    # What the emulator itself provides is found when it loads the library.
    flags = (*_FLAGS, *system.late_binding, *(f"-D{define}" for define in defines))
    what = repr((flags, system.kind())).encode()
    key = hashlib.sha256(source.read_bytes() + what).hexdigest()[:16]
    path = cache_directory() / f"{source.stem}-{key}{system.library_suffix}"
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Built beside its place and renamed: another process never loads half a library.
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            part = Path(scratch) / path.name
            _compile(source, flags, part)
            part.replace(path)
    except OSError as error:
        raise ToolError(
            f"{path.parent}: cannot keep the emulator's hooks there: {error.strerror}",
            "set TINYSERVE_CACHE to a directory that you can write to",
        ) from error
    return path


def _compile(source: Path, flags: tuple[str, ...], output: Path) -> None:
    failures = []
    for compiler in _compilers():
        command = [*compiler, *flags, "-o", str(output), str(source)]
        try:
            result = subprocess.run(
                command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False
            )
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
