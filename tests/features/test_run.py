# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.features.specs import MOTION, SPEECH, spec
from tinyserve.errors import DataError
from tinyserve.features import run
from tinyserve.features.run import FeatureRunner, typed


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(2).integers(-9000, 9000, (23, 1600)).astype(np.int16)
    whole = FeatureRunner(spec(SPEECH)).run(x)
    monkeypatch.setattr(run, "_CHUNK", 3)
    assert np.array_equal(FeatureRunner(spec(SPEECH)).run(x), whole)


def test_each_run_of_a_stream_starts_from_silence() -> None:
    x = np.random.default_rng(2).normal(size=(3, 48, 3)).astype(np.float32)
    runner = FeatureRunner(spec(MOTION))
    assert np.array_equal(runner.run(x), runner.run(x))


def test_samples_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match=r"\[2, 1601\].*1600"):
        FeatureRunner(spec(SPEECH)).run(np.zeros((2, 1601), np.int16))
    with pytest.raises(DataError, match="no sample"):
        FeatureRunner(spec(SPEECH)).run(np.zeros((0, 1600), np.int16))


@pytest.mark.parametrize("bad", [32768.0, -32769.0, np.nan, np.inf, 0.5])
def test_nothing_is_clipped_or_rounded_in_silence(bad: float) -> None:
    with pytest.raises(DataError):
        typed(np.array([[0.0, bad]]), "int16")


def test_whole_floats_are_integers() -> None:
    assert typed(np.array([[1.0, -3.0]]), "int16").dtype == np.int16
