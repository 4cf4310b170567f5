# SPDX-License-Identifier: Apache-2.0
"""From a .tflite file's bytes to C sources, and those to a directory."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyserve import platforms
from tinyserve.compiler import passes
from tinyserve.compiler.choose import program_for
from tinyserve.compiler.emit.emit import MARK, Sources, emit
from tinyserve.compiler.graph.types import Model
from tinyserve.compiler.plan.memories import place
from tinyserve.compiler.program import PORTABLE, STATIC, Interface, Memories, MemoryPlan, Program, Target
from tinyserve.errors import FileSystemError, write_hint
from tinyserve.files import refuse_file


@dataclass(frozen=True, eq=False)
class Compiled:
    """A compiled model with every stage that led to its sources. ``data`` is the .tflite file."""

    name: str
    data: bytes
    model: Model
    report: passes.PassReport
    program: Program
    plan: MemoryPlan
    sources: Sources


def compile_model(
    data: bytes,
    target: Target = PORTABLE,
    name: str = "model",
    *,
    optimize_graph: bool = True,
    without: Container[str] = (),
    interface: Interface = STATIC,
) -> Compiled:
    """Compiles a .tflite file.

    ``name`` becomes part of files' and functions' names. Without ``optimize_graph`` every operator of the
    file is kept, so that each of its tensors exists; ``without`` names passes to leave out. ``interface``:
    whose the model's context is. Raises ModelError for what cannot be compiled.
    """
    with np.errstate(all="ignore"):  # absurd scales overflow: the operators' checks see what comes of it
        model = passes.load(data, target.operators)
        report = passes.optimize(model, without) if optimize_graph else passes.PassReport()
        program, memory = program_for(model, target, name, by_rows=optimize_graph)
    if interface.instance == "static" and interface.shared is None:
        memory = place(program, memory, target.memories)
    return Compiled(program.name, data, model, report, program, memory, emit(program, memory, interface))


def placed(compiled: Compiled, memories: Memories) -> Compiled:
    """The same program in a board's memories: what compiling it for a target with these gives."""
    target = replace(compiled.program.target, memories=memories)
    program = replace(compiled.program, target=target)
    plan = place(program, compiled.plan, memories)
    if plan is compiled.plan:
        return replace(compiled, program=program)
    return replace(compiled, program=program, plan=plan, sources=emit(program, plan))


def write(compiled: Compiled, directory: Path) -> list[Path]:
    """Writes the sources below ``directory`` and returns their paths. As ``write_files`` else."""
    return write_files(compiled.sources.files, directory)


def write_files(files: Mapping[str, str | bytes], directory: Path) -> list[Path]:
    """Writes generated files below ``directory`` and returns their paths.

    Every file is complete before the first takes its place. Files that tinyserve did not write are left
    alone: one in the way raises FileSystemError, as does a directory that cannot be written.
    """
    refuse_file(directory)
    is_new = not directory.exists()
    try:
        for path in files:
            _refuse_foreign(directory / path)
        directory.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".tinyserve-", dir=directory))
        try:
            for path, content in files.items():
                staged = staging / path
                staged.parent.mkdir(parents=True, exist_ok=True)
                staged.write_bytes(content.encode() if isinstance(content, str) else content)
            for path in files:
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                platforms.here().replace(staging / path, directory / path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        if is_new:
            with contextlib.suppress(OSError):  # nothing is in it, and it would be taken for a result
                directory.rmdir()
        raise FileSystemError(
            f"cannot write the sources: {error.strerror}: {error.filename or directory}",
            write_hint(error, "choose another directory with -o, or make this one writable"),
        ) from error
    return [directory / path for path in files]


def _refuse_foreign(path: Path) -> None:
    """Raises FileSystemError where something lies at ``path`` that no compilation wrote."""
    if path.is_symlink() or path.exists():
        if path.is_file():
            with path.open("rb") as file:
                if MARK.encode() in file.readline(500):
                    return
        raise FileSystemError(
            f"{path} is in the way and was not written by tinyserve",
            "move it, or choose another directory with -o",
        )
