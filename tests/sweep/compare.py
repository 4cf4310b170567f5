# SPDX-License-Identifier: Apache-2.0
"""Emitted C beside TFLM: which outputs differ, by model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.support.differential import Array, Case, run_tflm
from tests.sweep.builds import Build
from tests.sweep.cases import Expected
from tests.sweep.image import Entry, run
from tinyserve.compiler.compile import compile_model
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


def differences(cases: Sequence[Expected], build: Build, *, images: int = IMAGE_MODELS) -> Iterator[str]:
    """A line for each model whose emitted C gives other outputs in this build."""
    entries: list[tuple[Entry, list[list[Array]]]] = []
    for number, (case, expected) in enumerate(cases):
        try:
            compiled = compile_model(case.model, build.target, f"m{number}")
        except UnsupportedError as error:
            yield f"{build.name}: {case.label}: {error}"
            continue
        entries.append((Entry(case, compiled), expected))
    for start in range(0, len(entries), images):
        part = entries[start : start + images]
        got = run([entry for entry, _ in part], build)
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
