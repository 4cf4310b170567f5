# SPDX-License-Identifier: Apache-2.0
"""A model that is to become a library, and what the templates of every kind know about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tinyserve.boards.types import Board
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.emit.ctext import number
from tinyserve.compiler.emit.values import class_output, is_number
from tinyserve.compiler.graph.types import DType, Tensor
from tinyserve.compiler.names import identifier
from tinyserve.compiler.program import Feed, Instance, Interface, Optimize, Program, Target
from tinyserve.compiler.reserved import why_not
from tinyserve.errors import UsageError
from tinyserve.resources import data_directory, licence
from tinyserve.templates import render_template

DOCUMENTATION = "https://tinyserve.readthedocs.io/"
AUTHOR = "tinyserve"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_VERSION = re.compile(r"(0|[1-9]\d{0,4})(\.(0|[1-9]\d{0,4})){2}")


@dataclass(frozen=True)
class Port:
    """An input or an output as templates see it. ``count`` is its number of elements. Real = (value - zero
    point) * scale, with a scale and a zero point for all or, with ``by_feature``, for each place on the last
    axis. Where it ``is_number``, NAME_values.h has functions for it. ``lowest`` and ``highest`` are the real
    values at the ends of its integers, one for all or by feature, as C writes them; 0 and 1 of floats, which
    have no ends, and of bools."""

    index: int
    c_type: str
    count: int
    nbytes: int
    is_float: bool
    is_number: bool
    by_feature: bool
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    shape: tuple[int, ...]
    lowest: tuple[str, ...]
    highest: tuple[str, ...]

    @property
    def features(self) -> int:
        """Of the last axis."""
        return self.shape[-1] if self.shape else 1


@dataclass(frozen=True)
class Rows:
    """Of an input that is fed by rows: how many there are, and the bytes and values of each."""

    count: int
    nbytes: int
    items: int


@dataclass(frozen=True)
class Library:
    """What to export: the .tflite ``data`` as a library ``name``, for ``board``'s core or any (None).

    ``title`` is the model's name for readers, ``version`` the library's. ``labels``: the classes, if known.
    ``instance``: whose the model's context is, where the kind leaves a choice. ``directory``: the name of
    where it goes, which is a sketch's own.
    Raises UsageError for a name or a version that a build system would refuse.
    """

    name: str
    data: bytes
    title: str
    version: str = "1.0.0"
    board: Board | None = None
    optimize: Optimize = "balanced"
    labels: tuple[str, ...] = ()
    operators: tuple[Path, ...] = ()
    instance: Instance = "static"
    directory: str = ""
    feed: Feed = "whole"

    def __post_init__(self) -> None:
        fits = _NAME.fullmatch(self.name) and "__" not in self.name
        if not fits or identifier(self.name) != self.name:
            raise UsageError(
                f"--name {self.name!r}: no name for a library in every build system",
                "letters a to z, digits and single '_' between them, at most 48, no keyword of C or C++",
            )
        reason = why_not(self.name)
        if reason:
            raise UsageError(f"--name {self.name}: {reason}", f"another one, such as {self.name}_model")
        if not _VERSION.fullmatch(self.version):
            raise UsageError(f"--release {self.version!r}: not a version", "three numbers, as in 1.4.0")

    @property
    def target(self) -> Target:
        """Of the board's core."""
        return self.target_with(frozenset(self.board.core.features if self.board else ()))

    def target_with(self, features: frozenset[str]) -> Target:
        """Of cores with these features."""
        return Target(features, self.optimize, operators=self.operators, feed=self.feed)

    def compile(self, target: Target, instance: Instance | None = None) -> Compiled:
        """The model as C, with the library's ``instance`` unless a kind has one of its own. Raises what
        ``compile_model`` raises."""
        interface = Interface(instance or self.instance, labels=self.labels)
        return compile_model(self.data, target, self.name, interface=interface)

    @cached_property
    def compiled(self) -> Compiled:
        """The model as C for the board's core."""
        return self.compile(self.target)


def render(kind: str, library: Library, compiled: Compiled, **more: object) -> dict[str, bytes]:
    """Every template below ``firmware_templates/library/<kind>``; NAME in a path is the library's name."""
    root = data_directory("firmware_templates") / "library"
    context = facts(library, compiled) | more
    made = {}
    for path in sorted((root / kind).rglob("*")):
        if path.is_file():
            template = path.relative_to(root.parent).as_posix().removesuffix(".j2")
            place = path.relative_to(root / kind).as_posix().removesuffix(".j2")
            made[place.replace("NAME", library.name)] = render_template(template, context).encode()
    made["LICENSE"] = licence().encode()
    return made


def model_files(compiled: Compiled, directory: str) -> dict[str, bytes]:
    """The generated C below ``directory`` of a library."""
    prefix = f"{directory}/" if directory else ""
    return {
        f"{prefix}{path}": content.encode() if isinstance(content, str) else content
        for path, content in compiled.sources.files.items()
    }


def facts(library: Library, compiled: Compiled) -> dict[str, object]:
    """What templates may say of a model."""
    program = compiled.program
    return {
        "name": library.name,
        "upper": library.name.upper(),
        "title": library.title,
        "version": library.version,
        "core": library.board.core.name if library.board else "",
        "inputs": [port(index, tensor) for index, tensor in enumerate(program.input_tensors)],
        "outputs": [port(index, tensor) for index, tensor in enumerate(program.output_tensors)],
        "rows": _rows(program),
        "labels": library.labels,
        "caller": library.instance == "caller",
        "class_output": class_output(program, len(library.labels)),
        "events": program.events.sources,
        "event_samples": program.events.samples,
        "arena_bytes": compiled.plan.arena_bytes,
        "constant_bytes": sum(constant.nbytes for constant in program.constants),
        "sources": compiled.sources.compile,
        "assembly": any(source.endswith(".S") for source in compiled.sources.compile),
        "sha256": program.model_sha256,
        "documentation": DOCUMENTATION,
    }


def _rows(program: Program) -> Rows | None:
    fed = program.fed_rows
    if fed is None:
        return None
    return Rows(fed.height, fed.row_bytes, fed.row_bytes // program.input_tensors[0].dtype.itemsize)


def port(index: int, tensor: Tensor) -> Port:
    """One input or output."""
    quantized = tensor.quantization if tensor.dtype is not DType.FLOAT32 else None
    scales = tuple(map(float, quantized.scales)) if quantized else (1.0,)
    zero_points = tuple(map(int, quantized.zero_points)) if quantized else (0,)
    ends = [_ends(tensor.dtype, *pair) for pair in zip(scales, zero_points, strict=True)]
    return Port(
        index,
        tensor.dtype.c_type,
        tensor.nbytes // tensor.dtype.itemsize,
        tensor.nbytes,
        tensor.dtype is DType.FLOAT32,
        is_number(tensor),
        quantized is not None and quantized.per_channel,
        scales,
        zero_points,
        tensor.shape,
        tuple(number(np.float32(low)) for low, _ in ends),
        tuple(number(np.float32(high)) for _, high in ends),
    )


def _ends(dtype: DType, scale: float, zero_point: int) -> tuple[float, float]:
    """The real values of the lowest and the highest integer."""
    if dtype in (DType.FLOAT32, DType.BOOL):
        return 0.0, 1.0
    limits = np.iinfo(dtype.numpy)
    return (limits.min - zero_point) * scale, (limits.max - zero_point) * scale


def sentence(library: Library) -> str:
    """A description in one line, for manifests."""
    title = " ".join(library.title.split())
    return f"The model {title} as C without dependencies, compiled by tinyserve"
