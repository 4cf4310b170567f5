"""The TFLM library that a firmware of the engine tflm links: where its headers and its code are.

``--tflm`` names a directory: a source tree (as TFLM's create_tflm_tree.py writes it), or one in which TFLM's
Makefile has built libtensorflow-microlite. Sources are compiled once per toolchain and kept in the cache. For
PlatformIO it may also be what goes into ``lib_deps``.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyserve.boards.types import Core
from tinyserve.cache import cache_directory, keep_newest
from tinyserve.errors import ToolError, UsageError
from tinyserve.firmware.process import run, run_all
from tinyserve.firmware.toolchain import Toolchain

VARIABLE = "TINYSERVE_TFLM"
HINT = "--tflm DIR names the sources of TensorFlow Lite Micro, or the directory with its built library"
_MARK = Path("tensorflow/lite/micro/micro_interpreter.h")
_LIBRARY = "libtensorflow-microlite.a"
_DOWNLOADS = Path("tensorflow/lite/micro/tools/make/downloads")
_THIRD_PARTY = ("flatbuffers/include", "gemmlowp", "kissfft", "ruy")
_NO_SOURCE = re.compile(
    r"(^|[/_])(tests?|testdata|testing|examples|benchmarks|tools|python|integration_tests)([/_.]|$)"
)
_CACHED_LIBRARIES = 8


@dataclass(frozen=True)
class TflmLibrary:
    """Headers, and an archive or the sources of one. ``identity`` changes when any of these files does."""

    directory: Path
    include: tuple[Path, ...]
    archive: Path | None
    sources: tuple[Path, ...]
    identity: str


def requested() -> str:
    """What --tflm (or the environment's TINYSERVE_TFLM) names, '' if nothing."""
    return os.environ.get(VARIABLE, "")


def lib_deps() -> str:
    """The same for PlatformIO. Raises UsageError where nothing is named: no library is taken unasked."""
    named = requested()
    if not named:
        raise UsageError(
            "--engine tflm needs TensorFlow Lite Micro as a PlatformIO library",
            "--tflm OWNER/LIBRARY (an entry of lib_deps), or --tflm DIR for one on this computer",
        )
    return f"symlink://{Path(named).resolve()}" if Path(named).is_dir() else named


def find_library(core: Core) -> TflmLibrary:
    """The named library for a core. Raises UsageError where none is named or what is named is none."""
    named = requested()
    if not named:
        raise UsageError("--engine tflm has no library to link", HINT)
    directory = Path(named).resolve()
    if not (directory / _MARK).is_file():
        raise UsageError(f"{named}: there is no {_MARK}", HINT)
    include = [directory]
    for name in _THIRD_PARTY:
        places = (directory / "third_party" / name, directory / _DOWNLOADS / name)
        include += [place for place in places if place.is_dir()][:1]
    archive = _archive(directory, core)
    sources = () if archive else tuple(_sources(directory))
    return TflmLibrary(directory, tuple(include), archive, sources, _identity(directory, archive))


def _archive(directory: Path, core: Core) -> Path | None:
    """The built library; where several are built, the one whose directory names the core."""
    found = sorted(directory.rglob(_LIBRARY))
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


def _sources(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        place = path.relative_to(directory).as_posix()
        if path.suffix in (".c", ".cc", ".cpp") and not _NO_SOURCE.search(place):
            yield path


def _identity(directory: Path, archive: Path | None) -> str:
    """Of names, sizes and times: to read thousands of files would take longer than the build."""
    files = [path for path in directory.rglob("*") if path.suffix in (".h", ".c", ".cc", ".cpp", ".a")]
    total = hashlib.sha256(str(archive).encode())
    for path in sorted(files):
        status = path.stat()
        total.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return total.hexdigest()[:24]


def built(library: TflmLibrary, tools: Toolchain, timeout_s: float) -> Path:
    """The archive to link: the named one, else the sources compiled (minutes, the first time).

    ``timeout_s`` is for each file. Raises ToolError when a compiler fails.
    """
    if library.archive is not None:
        return library.archive
    flags = [*tools.target_flags, "-Os", "-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS"]
    flags += [f"-I{path}" for path in library.include]
    key = hashlib.sha256("\0".join([library.identity, tools.identity, *flags]).encode()).hexdigest()[:24]
    stored = cache_directory().resolve() / "tflm" / f"{key}.a"
    if stored.is_file():
        return stored
    stored.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tflm-", dir=stored.parent) as scratch:
        objects = [Path(scratch) / f"{index}.o" for index in range(len(library.sources))]
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
        made = Path(scratch) / "library.a"
        finished = run([tools.archiver, "rcs", str(made), *map(str, objects)], library.directory, timeout_s)
        if finished.status != 0:
            raise ToolError(f"{tools.archiver} failed: {finished.output.strip()}")
        made.replace(stored)
    keep_newest(stored.parent, _CACHED_LIBRARIES)
    return stored
