# SPDX-License-Identifier: Apache-2.0
"""Emitted C beside TFLM: which outputs differ, by model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tests.support.differential import Array, Case, run_tflm
from tests.sweep.builds import Build
from tests.sweep.cases import Expected
from tests.sweep.image import Entry, run
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.program import Target
from tinyserve.errors import UnsupportedError

FLOAT_TOLERANCE = 2e-5
"""Of the largest value of a float output. Integers must be equal."""
IMAGE_MODELS = 30


def with_expected(cases: Sequence[Case]) -> list[Expected]:
    """The cases that TFLM runs, and what it gives."""
    return [
        (case, given)
        for case, given in zip(cases, run_tflm(cases), strict=True)
        if not isinstance(given, str)
    ]


@dataclass(frozen=True)
class Outcome:
    """A case, what TFLM gives, and the case compiled for a target, or why it does not compile."""

    case: Case
    expected: list[list[Array]]
    compiled: Compiled | None
    refusal: str = ""


def compile_all(cases: Sequence[Expected], target: Target) -> list[Outcome]:
    """Each case compiled, with a name of its own."""
    found = []
    for number, (case, expected) in enumerate(cases):
        try:
            found.append(Outcome(case, expected, compile_model(case.model, target, f"m{number}")))
        except UnsupportedError as error:
            found.append(Outcome(case, expected, None, str(error)))
    return found


def differences(cases: Sequence[Expected], build: Build, *, images: int = IMAGE_MODELS) -> Iterator[str]:
    """A line for each model whose emitted C gives other outputs in this build."""
    yield from outcomes_that_differ(compile_all(cases, build.target), build, images=images)


def outcomes_that_differ(
    outcomes: Sequence[Outcome], build: Build, *, images: int = IMAGE_MODELS
) -> Iterator[str]:
    """As :func:`differences`, of what is compiled for the build's target."""
    entries = []
    for one in outcomes:
        if one.compiled is None:
            yield f"{build.name}: {one.case.label}: {one.refusal}"
        else:
            entries.append((Entry(one.case, one.compiled), one.expected))
    for start in range(0, len(entries), images):
        yield from _image_differences(entries[start : start + images], build)


def _image_differences(part: Sequence[tuple[Entry, list[list[Array]]]], build: Build) -> Iterator[str]:
    try:
        got = run([entry for entry, _ in part], build)
    except RuntimeError as error:  # a compiler, a fault: the sweep goes on to say what else differs
        yield f"{build.name}: image of {', '.join(entry.case.label for entry, _ in part)}: {error}"
        return
    for (entry, expected), outputs in zip(part, got, strict=True):
        for sample, (want, have) in enumerate(zip(expected, outputs, strict=True)):
            wrong = _wrong(want, have)
            if wrong:
                yield f"{build.name}: {entry.case.label}, sample {sample}: {wrong}"
                break


def _wrong(want: Sequence[Array], have: Sequence[Array]) -> str:
    for index, (theirs, raw) in enumerate(zip(want, have, strict=True)):
        ours = raw.reshape(theirs.shape)
        if theirs.dtype.kind == "f":
            finite = np.abs(theirs[np.isfinite(theirs)])
            allowed = FLOAT_TOLERANCE * float(finite.max(initial=1e-6))
            with np.errstate(invalid="ignore"):
                equal = (np.abs(theirs - ours) <= allowed) | (theirs == ours)
            bad = ~(equal | (np.isnan(theirs) & np.isnan(ours)))
        else:
            bad = theirs != ours
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            return (
                f"{int(bad.sum())} of {bad.size} of output {index} differ, first at {at}: "
                f"{ours[at]} is not {theirs[at]}"
            )
    return ""
