# SPDX-License-Identifier: Apache-2.0
"""The figures that say how far a converted model is from the original."""

from __future__ import annotations

import numpy as np
import pytest

from tinyserve.bundle import TensorInfo
from tinyserve.convert.check import fidelity

SCORES = TensorInfo("scores", [1, 3], "int8")
IMAGE = TensorInfo("image", [1, 8], "int8")


def test_sqnr_of_a_tenth_of_noise_is_20_db() -> None:
    assert fidelity.sqnr_db(np.ones(100), np.full(100, 0.9)) == pytest.approx(20.0)


def test_sqnr_has_no_value_for_equal_or_silent_signals() -> None:
    assert fidelity.sqnr_db(np.ones(3), np.ones(3)) is None
    assert fidelity.sqnr_db(np.zeros(3), np.ones(3)) is None


def test_max_error_and_cosine() -> None:
    assert fidelity.max_error(np.array([1.0, -2.0]), np.array([1.5, -2.25])) == 0.5
    assert fidelity.cosine(np.array([1.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(2**-0.5)
    assert fidelity.cosine(np.zeros(2), np.ones(2)) is None


def test_top1_agreement_counts_samples() -> None:
    reference = np.array([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.0, 0.1, 0.9], [1.0, 0.0, 0.0]])
    other = np.array([[0.2, 0.8, 0.0], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9], [1.0, 0.0, 0.0]])
    found = fidelity.compare([reference], [other], [IMAGE], [SCORES])[0]
    assert found.top1_agreement == 0.75
    assert found.max_error == pytest.approx(0.7)


def test_an_autoencoder_is_no_classifier() -> None:
    vector = TensorInfo("x", [1, SCORES.shape[1]], "float32")
    values = np.random.default_rng(0).normal(size=(50, SCORES.shape[1]))
    assert not fidelity.has_classes(IMAGE, [IMAGE], np.zeros((50, *IMAGE.shape[1:])))
    assert fidelity.has_classes(SCORES, [IMAGE], values)
    assert not fidelity.has_classes(SCORES, [vector], values)
    assert not fidelity.has_classes(TensorInfo("p", [1, 1], "int8", 0.1), [IMAGE], values[:, :1])


def test_shares_of_one_are_class_scores_beside_an_input_of_their_shape() -> None:
    """Three classes of three accelerations."""
    vector = TensorInfo("x", [1, SCORES.shape[1]], "float32")
    odds = np.exp(np.random.default_rng(0).normal(size=(50, SCORES.shape[1])))
    assert fidelity.has_classes(SCORES, [vector], odds / odds.sum(axis=1, keepdims=True))


def test_values_far_from_zero_are_no_class_scores() -> None:
    """The degrees of the next hours, whose order says nothing."""
    degrees = np.random.default_rng(0).normal(20, 4, (50, SCORES.shape[1]))
    assert not fidelity.has_classes(SCORES, [IMAGE], degrees)
    assert fidelity.has_classes(SCORES, [IMAGE], degrees - 18)


def test_the_error_of_the_worst_value_is_in_its_own_standard_deviations() -> None:
    """A small output beside a large one under one scale is ruined where the sum of squares sees nothing."""
    rng = np.random.default_rng(1)
    wanted = rng.normal(size=(500, 2)) * (1000.0, 1.0)
    got = wanted + 0.5
    assert fidelity.error_sigma(wanted, got) == pytest.approx(0.5, rel=0.1)
    assert fidelity.error_sigma(wanted[:, :1] + 5000, got[:, :1] + 5000) == pytest.approx(5e-4, rel=0.1)
    assert fidelity.error_sigma(np.ones((9, 1)), np.zeros((9, 1))) is None


def test_two_values_of_unlike_spread_are_no_class_scores() -> None:
    rng = np.random.default_rng(1)
    pair = TensorInfo("pair", [1, 2], "float32")
    values = rng.normal(size=(100, 2)) * (100.0, 1.0)
    assert not fidelity.has_classes(pair, [IMAGE], values)
    assert fidelity.has_classes(pair, [IMAGE], values / (100.0, 1.0))
    assert not fidelity.has_classes(pair, [IMAGE], values / (100.0, 1.0), "regression")
    sigmoid = TensorInfo("p", [1, 1], "int8", 1 / 256, -128)
    assert fidelity.has_classes(sigmoid, [IMAGE], values[:, :1])


def test_one_probability_agrees_where_it_is_on_the_same_side_of_a_half() -> None:
    assert fidelity.top1_agreement(np.array([[0.9], [0.2]]), np.array([[0.6], [0.7]])) == 0.5
