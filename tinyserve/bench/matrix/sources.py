# SPDX-License-Identifier: Apache-2.0
"""A bundle of its own for each source of a matrix, whatever the files are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tinyserve import workflow
from tinyserve.bundle import name_of
from tinyserve.errors import UsageError


def conversions(sources: Iterable[Path], conversion: workflow.Conversion) -> dict[Path, workflow.Conversion]:
    """How each source is converted: sources of one file name get names and bundles that tell them apart.

    Raises UsageError where one bundle is named for several sources.
    """
    every = list(dict.fromkeys(sources))
    raw = [source for source in every if not workflow.is_bundle(source)]
    if conversion.output is not None and len(raw) > 1:
        raise UsageError(
            f"--bundle names one bundle, and {len(raw)} sources are to be converted",
            "leave it out: each gets its own in build/",
        )
    names = distinct(raw)
    return {
        source: conversion
        if source not in names or names[source] == source.stem
        else replace(
            conversion, name=names[source], output=workflow.BUILD_DIRECTORY / f"{names[source]}.bundle"
        )
        for source in every
    }


def distinct(sources: Sequence[Path]) -> dict[Path, str]:
    """A name for each: its file's, with what tells it from others of that name (ending, directories, a
    number)."""
    names: dict[Path, str] = {}
    groups: dict[str, list[Path]] = {}
    for source in sources:
        groups.setdefault(name_of(source).lower(), []).append(source)
    taken = {name for name, group in groups.items() if len(group) == 1}
    for group in groups.values():
        for source, name in zip(
            group, _labels(group) if len(group) > 1 else map(name_of, group), strict=True
        ):
            free, count = name, 1
            while len(group) > 1 and free.lower() in taken:
                count += 1
                free = f"{name}-{count}"
            taken.add(free.lower())
            names[source] = free
    return names


def _labels(group: Sequence[Path]) -> list[str]:
    """Names for files of one stem: the shortest that differ."""
    parts = [source.resolve().parts[1:-1] for source in group]
    endings = [
        f"{name_of(source)}-{source.suffix.lstrip('.')}" if source.suffix else name_of(source)
        for source in group
    ]
    for depth in range(max(map(len, parts)) + 1):
        before = ["-".join([*part[len(part) - depth :], ""]) if depth else "" for part in parts]
        for stems in ([name_of(source) for source in group], endings):
            labels = [name_of(Path(f"{prefix}{stem}.x")) for prefix, stem in zip(before, stems, strict=True)]
            if len({label.lower() for label in labels}) == len(labels):
                return labels
    return endings
