# SPDX-License-Identifier: Apache-2.0
"""Builds a rendered project: to an ELF for the board's core, or to a program of this computer."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tinyserve import __version__, locks, platforms
from tinyserve.boards.fit import Demand, estimate
from tinyserve.boards.types import Board
from tinyserve.cache import cache_directory, in_cache, keep_newest, put
from tinyserve.compiler.compile import Compiled
from tinyserve.errors import FileSystemError, ToolError, UsageError
from tinyserve.firmware.footprint.overflow import overflow_error
from tinyserve.firmware.footprint.remedies import Measure
from tinyserve.firmware.process import Finished, run, run_all
from tinyserve.firmware.render import (
    ELF_FILE,
    LINK_TEMPLATE,
    LINKER_SCRIPT,
    Part,
    Project,
    SourceFile,
    render,
)
from tinyserve.firmware.sizes import Sizes, of_sizes, read_host_sizes, read_sizes
from tinyserve.firmware.stack import StackReport, worst_case
from tinyserve.firmware.tflm_library import TflmLibrary, built, find_library
from tinyserve.firmware.toolchain import Name, Toolchain, remark, toolchain_for

COMPILE_TIMEOUT_S = 300.0
CACHED_OBJECTS = 4000
CACHED_FIRMWARES = 60
STACK_MARGIN_BYTES = 64  # an exception's frame
STACK_STEP_BYTES = 256
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
# Our own runtime has no floating point, and of integers what was met: at -Os compilers call for shifts.
_RUNTIME = re.compile(r"undefined (symbol: |reference to [`'])(__(aeabi_\w+|\w*[sd][fi]\w*)|sqrtf?\b)")
_OVERFLOW = re.compile(r"overflowed by")

# What surrounds the model is built for size.
_OPTIMIZE: dict[Part, str] = {
    "weights": "-Os",
    "firmware": "-Os",
    "startup": "-Os",
    "runtime": "-O2",
}


@dataclass(frozen=True)
class Firmware:
    """A built firmware. ``elf`` is what a device runs (for the host: an executable).

    ``sizes`` and ``stack`` are None where the format of the file does not tell. ``library`` says what
    interpreter it was linked with, for reports.
    """

    elf: Path
    project: Project
    sizes: Sizes | None
    stack: StackReport | None
    toolchain: str
    flags: tuple[str, ...]
    cached: bool
    library: str = ""


def build(
    project: Project,
    toolchain: Name = "zig",
    *,
    optimize: str | None = None,
    timeout_s: float = COMPILE_TIMEOUT_S,
) -> Firmware:
    """Compiles and links the project; an unchanged one is taken from the cache.

    Where the deepest stack turns out larger than what the linker script reserves, it is linked again with
    more. ``optimize`` is the compiler's level for the model's code; by default -Os where the model was
    compiled for size, else -O2 (measured: -Os takes up to half the code for up to 5 % more instructions).
    Raises ToolError when a tool is missing, fails or takes longer than ``timeout_s``, and FitError when flash
    or RAM overflow.
    """
    if project.port == "arduino":
        raise UsageError(
            f"{project.board.id}: the Arduino port is built by PlatformIO",
            f"tinyserve flash --board {project.board.id} builds and uploads it",
        )
    tools = toolchain_for(project.board.core, toolchain)
    size = project.compiled.program.target.optimize == "size"
    level = optimize or ("-Os" if size else "-O2")
    firmware = _build(project, tools, level, timeout_s)
    needed = firmware.stack.total_bytes + STACK_MARGIN_BYTES if firmware.stack else 0
    if needed <= project.stack_bytes:
        return firmware
    larger = replace(project, stack_bytes=-(-needed // STACK_STEP_BYTES) * STACK_STEP_BYTES)
    _write_linker_script(larger)
    return _build(larger, tools, level, timeout_s)


def _write_linker_script(project: Project) -> None:
    path = project.directory / LINKER_SCRIPT
    try:
        path.write_bytes(project.linker_script().encode())
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "make the directory writable") from error


def _build(project: Project, tools: Toolchain, level: str, timeout_s: float) -> Firmware:
    levels: dict[Part, str] = {**_OPTIMIZE, "model": level}
    library = _library(project, tools)
    jobs = [_Job(project, tools, source, levels[source.part], library) for source in project.sources]
    key = _firmware_key(project, tools, jobs)
    elf = project.directory / ELF_FILE
    stored = cache_directory().resolve() / "firmware" / f"{key}.elf"
    cached = in_cache(stored)
    try:
        if not cached:
            _compile(jobs, project, timeout_s)
            options = [*tools.link_flags, *_libraries(project, tools, library, timeout_s)]
            objects = [str(job.object) for job in jobs]
            command = [*tools.compiler, *tools.target_flags, *objects, *options]
            _link(command, tools, project, stored, timeout_s)
        _install(stored, elf)
    except OSError as error:
        raise FileSystemError(
            f"cannot write the firmware: {error.strerror}: {error.filename}",
            "free some space, or set TINYSERVE_CACHE to a directory that you can write to",
        ) from error
    host = project.port == "host"
    sizes = read_host_sizes(elf) if host else read_sizes(elf).on(project.board)
    if sizes and not project.roomy and _overflows_by_copies(sizes, project.board):
        # The twin would run it, the board could not.
        raise overflow_error(project, sizes, _measure(project, tools))
    stack = None if host else worst_case(elf, project.model.name)
    if stack is not None and library is not None:
        stack = replace(stack, complete=False)  # an interpreter calls through pointers that it makes
    return Firmware(
        elf=elf,
        project=project,
        sizes=sizes,
        stack=stack,
        toolchain=tools.identity,
        flags=(*tools.target_flags, *tools.compile_flags, level),
        cached=cached,
        library=library.description if library else "",
    )


def linked_sizes(
    compiled: Compiled, board: Board, model_id: str = "", toolchain: Name = "zig"
) -> Sizes | None:
    """What the firmware of the board's twin takes of flash and RAM, also where that is more than the board
    has. None where the file's format does not tell."""
    with tempfile.TemporaryDirectory(prefix="tinyserve-sizes-") as directory:
        project = render(compiled, board, Path(directory), emulate=True, model_id=model_id, roomy=True)
        return build(project, toolchain).sizes


def _measure(project: Project, tools: Toolchain) -> Measure | None:
    """How other ways to compile the project's model are measured."""
    if project.engine != "aot" or project.script != LINK_TEMPLATE:
        return None
    name: Name = "gcc" if tools.name == "gcc" else "zig"

    def measure(compiled: Compiled) -> Demand:
        sizes = linked_sizes(compiled, project.board, toolchain=name)
        return of_sizes(sizes) if sizes is not None else estimate(compiled)

    return measure


def _overflows_by_copies(sizes: Sizes, board: Board) -> bool:
    return board.ram is not None and sizes.copied_bytes > 0 and sizes.ram_bytes > board.ram.bytes


def _library(project: Project, tools: Toolchain) -> TflmLibrary | None:
    """The interpreter's library where the project needs one. It wants a C and C++ library beside it."""
    if project.engine != "tflm":
        return None
    return find_library(project.board.core, project.tflm)


def _libraries(
    project: Project, tools: Toolchain, library: TflmLibrary | None, timeout_s: float
) -> list[str]:
    """What is linked after the objects."""
    if library is None:
        return []
    archive = str(built(library, tools, timeout_s))
    if project.port == "host":
        return [archive, "-lstdc++", "-lm"]
    system = ["-lstdc++_nano", "-lm", "-lc_nano", "-lgcc", "-lnosys"]
    return ["-Wl,--start-group", archive, *system, "-Wl,--end-group", "-Wl,--defsym=end=__bss_end"]


class _Job:
    """One source file and its object. The object's name holds the hash of all that went into it."""

    def __init__(
        self,
        project: Project,
        tools: Toolchain,
        source: SourceFile,
        level: str,
        library: TflmLibrary | None = None,
    ) -> None:
        cxx = source.path.endswith(".cpp")
        compiler = tools.cxx_compiler if cxx else tools.compiler
        flags = [*tools.target_flags, *(tools.cxx_flags if cxx else tools.compile_flags), level]
        flags += [f"-D{name}={value}" for name, value in project.defines.items()]
        self.part = source.part
        settings = f"{__version__} {tools.identity} {' '.join(flags)}"
        if library is not None and cxx:
            settings += library.identity + " ".join(library.defines)
        digest = _content_hash(project, source.path, settings)
        name = f"{source.part}_{PurePosixPath(source.path).stem}-{digest}.o"
        self.key = name
        self.object = cache_directory().resolve() / "objects" / name
        # Paths in the debug information are relative: the same bytes wherever the project lies.
        places = [f"-I{directory}" for directory in project.include]
        mapping = f"{project.directory.resolve()}=."
        places += [f"-ffile-prefix-map={mapping}"]
        if tools.name == "gcc" and source.path.endswith(".S") and "," not in mapping:
            places += [f"-Wa,--debug-prefix-map={mapping}"]  # GCC 12 does not tell the assembler
        if library is not None and cxx:
            places += [f"-isystem{path}" for path in library.include]
            flags += [f"-D{name}" for name in library.defines]
        self.command = [*compiler, *flags, *places, "-c", source.path, "-o"]


def _content_hash(project: Project, path: str, settings: str) -> str:
    """Hash of a source with everything that it includes from the project.

    Includes are looked up by the last part of their path: more than needed may count, never less.
    """
    total = hashlib.sha256(settings.encode())
    by_name: dict[str, list[Path]] = {}
    for file in sorted((project.directory / "src").rglob("*")):
        by_name.setdefault(file.name, []).append(file)
    waiting, seen = [project.directory / path], set[Path]()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        data = file.read_bytes()
        total.update(file.relative_to(project.directory).as_posix().encode() + b"\0" + data + b"\0")
        for name in _INCLUDE.findall(data):
            waiting.extend(by_name.get(PurePosixPath(name.decode(errors="replace")).name, []))
    return total.hexdigest()[:24]


def _firmware_key(project: Project, tools: Toolchain, jobs: list[_Job]) -> str:
    total = hashlib.sha256(
        "\0".join([tools.identity, *tools.link_flags, *(job.key for job in jobs)]).encode()
    )
    script = project.directory / LINKER_SCRIPT
    if script.is_file():
        total.update(script.read_bytes())
    return total.hexdigest()[:32]


def _compile(jobs: list[_Job], project: Project, timeout_s: float) -> None:
    """Compiles what the cache does not hold. An object appears under its name only when it is complete."""
    todo = [job for job in jobs if not in_cache(job.object)]
    if not todo:
        return
    objects = cache_directory().resolve() / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    # Longest first, so that the last one to end is a short one.
    todo.sort(key=lambda job: job.part not in ("model", "weights"))
    with locks.scratch(".build-", objects) as scratch:
        made = [scratch / job.object.name for job in todo]
        commands = [[*job.command, str(path)] for job, path in zip(todo, made, strict=True)]
        for finished in run_all(commands, project.directory, timeout_s):
            _check(finished, "compiling")
        for job, path in zip(todo, made, strict=True):
            put(path, job.object)
    keep_newest(objects, CACHED_OBJECTS)


def _link(command: list[str], tools: Toolchain, project: Project, stored: Path, timeout_s: float) -> None:
    stored.parent.mkdir(parents=True, exist_ok=True)
    with locks.scratch(".link-", stored.parent) as scratch:
        made = scratch / ELF_FILE
        script = ["-T", LINKER_SCRIPT] if project.port != "host" else []
        finished = run([*command, *script, "-o", str(made)], project.directory, timeout_s)
        if finished.status != 0 and _RUNTIME.search(finished.output):
            command = [*command, tools.runtime]
            finished = run([*command, *script, "-o", str(made)], project.directory, timeout_s)
        if finished.status != 0 and _OVERFLOW.search(finished.output):
            # Once more with room, to know all sizes.
            roomy = scratch / "roomy.ld"
            roomy.write_bytes(project.linker_script(roomy=True).encode())
            script = ["-T", str(roomy)]
            _check(run([*command, *script, "-o", str(made)], project.directory, timeout_s), "linking")
            sizes = read_sizes(made).on(project.board)
            raise overflow_error(project, sizes, _measure(project, tools))
        _check(finished, "linking")
        put(made, stored)
    keep_newest(stored.parent, CACHED_FIRMWARES)


def _check(finished: Finished, what: str) -> None:
    if finished.status == 0:
        return
    lines = [line for line in finished.output.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line or "undefined" in line] or lines[-3:]
    words = Path(finished.command[0]).name
    raise ToolError(
        f"{words} failed {what} the firmware (status {finished.status}):\n  " + "\n  ".join(errors[:5]),
        f"{remark(finished.command[0])}the whole command: {' '.join(finished.command)}",
    )


def _install(stored: Path, elf: Path) -> None:
    """Puts the firmware into the project in one step: a device may be running the old one."""
    with tempfile.TemporaryDirectory(prefix=f".{elf.name}.", dir=elf.parent) as scratch:
        temporary = Path(scratch) / elf.name
        shutil.copy2(stored, temporary)
        platforms.here().replace(temporary, elf)
