# SPDX-License-Identifier: Apache-2.0
"""Data that can be used but should be doubted is doubted, and sound data is not."""

from __future__ import annotations

import numpy as np

from tinyserve.bundle import TensorInfo
from tinyserve.convert.check import doubts
from tinyserve.datasets.dataset import Dataset

INPUT = TensorInfo("image", [1, 4], "float32")
SOUND = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


def about(values: np.ndarray, dtype: str = "float32") -> list[str]:
    return doubts.about(Dataset([values], None, "here"), [TensorInfo("image", [1, 4], dtype)])


def test_sound_data_is_not_doubted() -> None:
    assert about(SOUND) == []
    assert about(np.abs(SOUND) % 1) == []
    near = Dataset([SOUND * 1.01], None, "near")
    assert doubts.beyond(Dataset([SOUND], None, "here"), near, [INPUT]) == []
    halves = Dataset([SOUND[:40]], None, "here"), Dataset([SOUND[:20]], None, "here")
    assert doubts.beyond(*halves, [INPUT]) == []


def test_few_samples_are_doubted() -> None:
    assert "5 samples are few" in about(SOUND[:5])[0]


def test_an_input_that_never_changes_is_doubted() -> None:
    assert "is 2 in every sample" in about(np.full((60, 4), 2, np.float32))[0]


def test_raw_pixels_for_a_float_input_are_doubted() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 4)).astype(np.float32)
    assert "whole numbers from" in about(pixels)[0]
    assert about(pixels.astype(np.int32), "int32") == [], "indices are whole numbers"


def test_held_samples_beyond_the_calibrated_range_are_counted() -> None:
    held = SOUND.copy()
    held[:3] = 50.0
    found = doubts.beyond(Dataset([SOUND], None, "a"), Dataset([held], None, "b"), [INPUT])
    assert found[0].startswith("5.0 % of input 'image'")


def test_random_data_is_said_to_be_random_and_no_more() -> None:
    constant = Dataset([np.zeros((3, 4), np.float32)], None, "random", synthetic=True)
    assert doubts.about(constant, [INPUT]) == []
