# SPDX-License-Identifier: Apache-2.0
"""The reference profile of whatever models have for inputs and outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from tinyserve.errors import ModelError
from tinyserve.health.profile import BINS, PROFILE_FILE, load, profile_of

Array = npt.NDArray[Any]
SHIFT = {"weights": [[0.0] * BINS], "mean": 0.0, "shifted": 0.5, "between": 0.1}
MOMENTS = {"mean": 1.0, "between": 1.0, "single": 1.0}


@pytest.mark.parametrize(
    ("inputs", "groups"),
    [
        (np.zeros((5, 8, 8, 1), np.int8), 1),
        (np.zeros((5, 8, 8, 3), np.uint8), 3),
        (np.zeros((5, 13), np.int16), 1),
        (np.zeros((5, 4), np.int8), 4),
        (np.zeros(5, np.int8), 1),
        (np.zeros((5, 0), np.int8), 0),
        (np.zeros((0, 4), np.int8), 0),
        (np.zeros((5, 4), np.float32), 0),
        (np.zeros((5, 4), np.int32), 0),
        (np.zeros((5, 4), bool), 0),
    ],
)
def test_an_input_has_a_histogram_for_each_of_its_few_channels(inputs: Array, groups: int) -> None:
    profile = profile_of(inputs, np.zeros((len(inputs), 3), np.int8))
    assert len(profile.codes) == groups
    assert sum(sum(histogram.counts) for histogram in profile.codes) == (inputs.size if groups else 0)


@pytest.mark.parametrize(
    ("outputs", "classes"),
    [
        (np.zeros((5, 3), np.int8), 3),
        (np.array([[0.1, np.nan], [np.inf, -np.inf], [0.2, 0.9]], np.float32), 2),
        (np.zeros((5, 1), np.int8), 0),
        (np.zeros((5, 17), np.int8), 0),
        (np.zeros((5, 3), np.int64), 0),
        (np.zeros((5, 3), bool), 0),
        (np.zeros((5, 0), np.int8), 0),
    ],
)
def test_scores_of_some_classes_are_counted_and_nothing_else(outputs: Array, classes: int) -> None:
    profile = profile_of(np.zeros((len(outputs), 4), np.int8), outputs)
    assert len(profile.classes) == classes
    assert sum(profile.confidence) == (len(outputs) if classes else 0)
    assert len(profile.confidence) == (BINS if classes else 0)


@pytest.mark.parametrize(
    "histogram",
    [
        {"counts": [1] * 15},
        {"counts": [-1] * BINS},
        {"counts": [1] * BINS, "between": [[0.0] * BINS] * 3},
        {"counts": [1] * BINS, "between": [[0.0] * 2] * BINS},
        {"counts": [1] * BINS, "between": [[1e400] * BINS] * BINS},
        {"counts": [1] * BINS, "level": {"value": MOMENTS, "place": {**MOMENTS, "between": -1.0}}},
        {"counts": [1] * BINS, "level": {"value": {**MOMENTS, "mean": 1e400}, "place": MOMENTS}},
        {"counts": [1] * BINS, "shifts": [SHIFT]},
        {"counts": [1] * BINS, "shifts": [SHIFT, {**SHIFT, "weights": [[0.0] * 15]}]},
        {"counts": [1] * BINS, "shifts": [SHIFT, {**SHIFT, "mean": 1e400}]},
        {"counts": [1] * BINS, "shifts": [SHIFT, {**SHIFT, "between": -1.0}]},
    ],
)
def test_a_profile_whose_histograms_are_no_devices_is_refused(histogram: Any, tmp_path: Path) -> None:
    profile = {"samples": 9, "codes": [histogram], "clipped": [0, 0], "confidence": [], "classes": []}
    (tmp_path / PROFILE_FILE).write_text(json.dumps(profile), encoding="utf-8")
    with pytest.raises(ModelError, match=PROFILE_FILE):
        load(tmp_path)


def test_a_profile_is_read_as_it_was_made(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    made = profile_of(rng.integers(-128, 128, (20, 8, 3)).astype(np.int8), np.zeros((20, 3), np.int8))
    (tmp_path / PROFILE_FILE).write_bytes(msgspec.json.encode(made))
    assert load(tmp_path) == made
    assert [len(histogram.between) for histogram in made.codes] == [BINS] * 3


@pytest.mark.parametrize(
    "counts",
    [
        {"samples": 0}, {"samples": -1}, {"samples": 10**400}, {"confidence": [-1] * BINS},
        {"classes": [10**30, 1]}, {"codes": [{"counts": [10**400] * BINS}]},
    ],
)  # fmt: skip
def test_counts_that_can_not_be_are_refused(counts: dict[str, Any], tmp_path: Path) -> None:
    profile = {
        "samples": 9,
        "codes": [{"counts": [1] * BINS}],
        "clipped": [0, 0],
        "confidence": [],
        "classes": [],
    }
    (tmp_path / PROFILE_FILE).write_text(json.dumps({**profile, **counts}), encoding="utf-8")
    with pytest.raises(ModelError, match=PROFILE_FILE):
        load(tmp_path)
