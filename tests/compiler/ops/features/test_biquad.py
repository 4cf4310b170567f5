# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from tests.compiler.ops.features.streams import Array, Step, check
from tests.compiler.ops.generate import Random
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError


def biquad(index: int) -> Step:
    r = Random(index, 42)
    history, width, samples = int(r.chance(0.5)), r.integer(1, 3), r.integer(1, 40)
    sections = signal.butter(
        r.integer(1, 5), r.choice((0.1, 0.3, 0.7)), r.choice(("low", "high")), output="sos"
    )
    stored = np.delete(sections, 3, axis=1).astype(np.float32)

    def expected(given: list[Array]) -> list[Array]:
        exact = np.insert(stored.astype(np.float64), 3, 1.0, axis=1)
        silence = np.zeros((len(exact), 2, width))
        state, found = silence, []
        for x in given:
            start = state if history else silence
            y, state = signal.sosfilt(exact, x.reshape(samples, width).astype(np.float64), axis=0, zi=start)
            found.append(y)
        return found

    return Step(
        "FeatureBiquad", (samples, width), (samples, width), {"width": width, "history": history}, expected,
        (stored,),
    )  # fmt: skip


def test_sections_filter_as_scipy_does(tmp_path: Path) -> None:
    check([biquad(index) for index in range(40)], tmp_path, 2e-5)


@pytest.mark.parametrize(
    "sections", [np.zeros((0, 5)), np.zeros((1, 6)), np.full((1, 5), np.nan), np.zeros(5)]
)
def test_coefficients_that_are_no_sections_are_refused(sections: Array) -> None:
    options = {"width": 1, "history": 0}
    step = Step("FeatureBiquad", (8,), (8,), options, lambda given: given, (sections.astype(np.float32),))
    with pytest.raises(ModelError):
        load(step.model())
