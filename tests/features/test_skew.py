# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from tests.features.specs import MOTION, SPEECH, spec
from tinyserve.errors import DataError
from tinyserve.features.run import FeatureRunner
from tinyserve.features.skew import compared


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(8, 1600)) * 3000).astype(np.int16)


def test_the_same_features_have_no_skew(speech: np.ndarray) -> None:
    skew = compared(spec(SPEECH), speech, FeatureRunner(spec(SPEECH)).run(speech))
    assert skew.is_same and not skew.explanation


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ('scale = "slaney"', 'scale = "slaney"'),
        ('window = "hamming"', 'window = "hamming"'),
        ("low_hz = 125.0", "low_hz = 125.0"),
        ("bands = 40", "bands = 40"),
    ],
)
def test_the_parameter_that_differs_is_named(line: str, explained: str, speech: np.ndarray) -> None:
    field = line.split(maxsplit=1)[0]
    kept = [text for text in SPEECH.splitlines() if not text.startswith(field)]
    prepared = FeatureRunner(spec("\n".join([*kept, line]))).run(speech)
    skew = compared(spec(SPEECH), speech, prepared)
    assert not skew.is_same and explained in skew.explanation and "3_mfcc" in skew.explanation


def test_a_unit_is_named(speech: np.ndarray) -> None:
    prepared = 10 * FeatureRunner(spec(SPEECH)).run(speech) / np.log(10)
    assert "prepared = 4.34294 * ours" in compared(spec(SPEECH), speech, prepared).explanation


def test_what_nothing_explains_is_left_open(speech: np.ndarray) -> None:
    noise = np.random.default_rng(1).normal(size=(8, 11, 10))
    skew = compared(spec(SPEECH), speech, noise)
    assert not skew.is_same and not skew.explanation


def test_other_samples_are_refused() -> None:
    with pytest.raises(DataError, match="as many features"):
        compared(spec(MOTION), np.zeros((2, 48, 3), np.float32), np.zeros((2, 7)))


def test_missing_prepared_values_are_counted(speech: np.ndarray) -> None:
    prepared = FeatureRunner(spec(SPEECH)).run(speech)
    prepared[3, 2, 1] = np.nan
    with pytest.raises(DataError, match="1 prepared values are missing or infinite, the first in sample 3"):
        compared(spec(SPEECH), speech, prepared)
