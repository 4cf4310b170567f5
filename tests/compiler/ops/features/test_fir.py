# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.features.streams import Array, Step, check
from tests.compiler.ops.generate import Random
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError


def fir(index: int) -> Step:
    r = Random(index, 43)
    history, width, step = int(r.chance(0.5)), r.integer(1, 3), r.integer(1, 4)
    samples, taps = step * r.integer(1, 8), r.values((r.integer(1, 12),), "float32")

    def expected(given: list[Array]) -> list[Array]:
        silence = np.zeros((len(taps) - 1, width))
        older, found = silence, []
        for x in given:
            stream = np.concatenate([older if history else silence, x.reshape(samples, width)])
            whole = np.stack(
                [np.convolve(column, taps.astype(np.float64), "valid") for column in stream.T], axis=1
            )
            found.append(whole[step - 1 :: step])
            older = stream[len(stream) - len(taps) + 1 :]
        return found

    options = {"width": width, "step": step, "history": history}
    return Step("FeatureFir", (samples, width), (samples // step, width), options, expected, (taps,))


def test_sums_of_the_newest_samples_across_inferences(tmp_path: Path) -> None:
    check([fir(index) for index in range(60)], tmp_path, 1e-5)


@pytest.mark.parametrize(
    ("taps", "step"), [(np.zeros(0), 1), (np.full(2, np.inf), 1), (np.zeros((2, 2)), 1), (np.zeros(2), 3)]
)
def test_taps_and_steps_that_do_not_fit_are_refused(taps: Array, step: int) -> None:
    options = {"width": 1, "step": step, "history": 0}
    made = Step("FeatureFir", (8,), (8 // step,), options, lambda given: given, (taps.astype(np.float32),))
    with pytest.raises(ModelError):
        load(made.model())
