# SPDX-License-Identifier: Apache-2.0
"""The TFLM library that a firmware of the engine tflm links: where its headers and its code are.

``--tflm`` names a directory: a source tree (as TFLM's create_tflm_tree.py writes it, or in Arduino's
layout), or one in which TFLM's Makefile has built libtensorflow-microlite. Sources are compiled once per
toolchain and kept in the cache. For PlatformIO it may also be what goes into ``lib_deps``.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from tinyserve import locks
from tinyserve.boards.types import Board, Core
from tinyserve.cache import cache_directory, keep_newest, put
from tinyserve.errors import ToolError, UsageError
from tinyserve.escapes import ini_value
from tinyserve.firmware.process import run, run_all
from tinyserve.firmware.tflm_tree import HINT, LIBRARY, Tree, read_tree, root_of
from tinyserve.firmware.toolchain import Name, Toolchain
from tinyserve.resources import data_directory

LEVEL = "-O2"
"""What people deploy: -Os costs the interpreter's kernels up to half of their speed."""
_STATIC = "TF_LITE_STATIC_MEMORY"
_STRIPPED = "TF_LITE_STRIP_ERROR_STRINGS"
_CACHED_LIBRARIES = 8
_MOST_SYMBOL_BYTES = 64 << 20
_BSD_NAME = b"#1/"


@dataclass(frozen=True)
class TflmLibrary:
    """Headers, and an archive or the sources of one. ``identity`` changes when any of these files does.

    ``defines`` are what its own sources and those that use it are compiled with: classes in its headers
    differ by them. ``kernels`` says whose kernels it has.
    """

    directory: Path
    include: tuple[Path, ...]
    archive: Path | None
    sources: tuple[Path, ...]
    identity: str
    defines: tuple[str, ...]
    kernels: str

    @property
    def description(self) -> str:
        """For reports: whose kernels, and how they were compiled."""
        how = "as built before" if self.archive else f"compiled with {LEVEL}"
        strings = "without error strings" if _STRIPPED in self.defines else "with error strings"
        return f"{self.kernels} kernels, {how}, {strings}"


def lib_deps(named: str) -> str:
    """What --tflm names, for PlatformIO. Raises UsageError where that is nothing: no library is taken
    unasked."""
    if not named:
        raise UsageError(
            "--engine tflm needs TensorFlow Lite Micro as a PlatformIO library",
            "--tflm OWNER/LIBRARY (an entry of lib_deps), or --tflm DIR for one on this computer",
        )
    entry = f"symlink://{Path(named).resolve()}" if Path(named).is_dir() else named
    try:
        return ini_value(entry)
    except ValueError as error:
        raise UsageError(f"--tflm {named}: {error}", "give its directory another name") from error


def check_engine(engine: str, board: Board, toolchain: Name, emulate: bool, tflm: str) -> None:
    """Whether the engine can be built for a board at all, with the library that ``tflm`` names.

    Raises UsageError before any work is done.
    """
    if engine != "tflm":
        return
    real = board.platformio is not None and not emulate
    if real:
        lib_deps(tflm)
        return
    if not board.core.port:
        return
    if toolchain == "zig" and board.core.port != "host":
        raise UsageError(
            "--engine tflm can't be built by zig: it has no C++ library for bare metal",
            "--toolchain gcc (it and newlib are what PlatformIO's toolchains are, too)",
        )
    find_library(board.core, tflm)


def find_library(core: Core, named: str) -> TflmLibrary:
    """The named library for a core. Raises UsageError where none is named or what is named is none."""
    if not named:
        raise UsageError("--engine tflm has no library to link", HINT)
    root = root_of(named)
    archive = _archive(root, core)
    tree = read_tree(root, core, is_built=archive is not None)
    if archive is not None:
        symbols = _symbols(archive)
        defines = [_STATIC, *([] if b"MicroPrintf" in symbols else [_STRIPPED])]
        has_cmsis_nn = b"arm_convolve" in symbols
    else:
        defines = [_STATIC, _STRIPPED]
        has_cmsis_nn = tree.has_cmsis_nn
    if has_cmsis_nn:
        defines.append("CMSIS_NN")
    return TflmLibrary(
        directory=root,
        include=tree.include,
        archive=archive,
        sources=_with_platform(tree),
        identity=_identity(root, archive),
        defines=tuple(defines),
        kernels="CMSIS-NN" if has_cmsis_nn else "reference",
    )


def _with_platform(tree: Tree) -> tuple[Path, ...]:
    """The sources; with what an Arduino core would do (writing, time) where only that could compile the
    tree's own."""
    if not tree.needs_platform:
        return tree.sources
    return (*tree.sources, data_directory("firmware_templates") / "tflm" / "platform.cc")


def _symbols(archive: Path) -> bytes:
    """The names in an archive's symbol table: what its members define."""
    with archive.open("rb") as file:
        magic = file.read(8)
        if magic == b"!<thin>\n":
            raise UsageError(
                f"{archive}: a thin archive, whose code lies elsewhere", "build it without ar's option T"
            )
        if magic != b"!<arch>\n":
            raise UsageError(f"{archive}: no archive", HINT)
        header = file.read(60)
        if not header:
            return b""
        size = header[48:58].strip()
        if not size.isdigit() or int(size) > _MOST_SYMBOL_BYTES:
            raise UsageError(f"{archive}: a damaged archive", "build the library anew")
        name = header[:16].strip()
        table = file.read(int(size))
    if name.startswith(_BSD_NAME):  # macOS: the name stands before the contents
        name = table[:16].split(b" ")[0]
    if name.rstrip(b"\0") not in (b"/", b"/SYM64/", b"__.SYMDEF"):
        raise UsageError(
            f"{archive}: an archive without a symbol table",
            f"ranlib {archive} makes one, if it holds code",
        )
    return table


def _archive(directory: Path, core: Core) -> Path | None:
    """The built library; where several are built, the one whose directory names the core."""
    found = sorted(path for path in directory.rglob(LIBRARY) if path.is_file())
    if len(found) <= 1:
        return found[0] if found else None
    wanted = "linux|osx" if core.port == "host" else rf"{re.escape(core.name)}(?![0-9])"
    fitting = [path for path in found if re.search(wanted, path.relative_to(directory).as_posix())]
    if len(fitting) != 1:
        listed = ", ".join(str(path.relative_to(directory)) for path in fitting or found)
        raise UsageError(
            f"{directory}: which library is for {core.name}? {listed}", "keep one, or name its directory"
        )
    return fitting[0]


def _identity(directory: Path, archive: Path | None) -> str:
    """Of names, sizes and times: to read thousands of files would take longer than the build."""
    files = [path for path in directory.rglob("*") if path.suffix in (".h", ".c", ".cc", ".cpp", ".a")]
    total = hashlib.sha256(str(archive).encode(errors="surrogateescape"))
    for path in sorted(files):
        status = path.lstat() if path.is_symlink() and not path.exists() else path.stat()
        total.update(os.fsencode(path) + f"\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return total.hexdigest()[:24]


def built(library: TflmLibrary, tools: Toolchain, timeout_s: float) -> Path:
    """The archive to link: the named one, else the sources compiled (minutes, the first time).

    ``timeout_s`` is for each file. Raises ToolError when a compiler fails.
    """
    if library.archive is not None:
        return library.archive
    flags = [*tools.target_flags, LEVEL, *(f"-D{name}" for name in library.defines)]
    flags += [f"-I{path}" for path in library.include]
    key = hashlib.sha256("\0".join([library.identity, tools.identity, *flags]).encode()).hexdigest()[:24]
    stored = cache_directory().resolve() / "tflm" / f"{key}.a"
    if stored.is_file():
        return stored
    stored.parent.mkdir(parents=True, exist_ok=True)
    with locks.scratch(".tflm-", stored.parent) as scratch:
        objects = [scratch / f"{index}.o" for index in range(len(library.sources))]
        commands = []
        for source, made in zip(library.sources, objects, strict=True):
            compiler = [*tools.compiler, *tools.compile_flags]
            if source.suffix != ".c":
                compiler = [*tools.cxx_compiler, *tools.cxx_flags]
            commands.append([*compiler, *flags, "-w", "-c", str(source), "-o", str(made)])
        for finished in run_all(commands, library.directory, timeout_s):
            if finished.status != 0:
                error = next((line for line in finished.output.splitlines() if "error" in line), "")
                raise ToolError(f"compiling TFLM failed: {error}", " ".join(finished.command))
        made = scratch / "library.a"
        finished = run([tools.archiver, "rcs", str(made), *map(str, objects)], library.directory, timeout_s)
        if finished.status != 0:
            raise ToolError(f"{tools.archiver} failed: {finished.output.strip()}")
        put(made, stored)
    keep_newest(stored.parent, _CACHED_LIBRARIES)
    return stored
