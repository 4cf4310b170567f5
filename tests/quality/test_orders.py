# SPDX-License-Identifier: Apache-2.0
"""Labels that mean other classes than the model's are found, in whichever way they differ; a model that is
only bad raises no alarm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.compiler.ops.generate import Random
from tinyserve.errors import DataError
from tinyserve.quality.classification import Classification
from tinyserve.quality.orders import doubt

Ints = npt.NDArray[np.int64]
NAMES = ("walk", "run", "sit", "climb", "lie")


def matrix(labels: Ints, predicted: Ints, classes: int) -> Ints:
    found = np.zeros((classes, classes), np.int64)
    inside = (labels >= 0) & (labels < classes)
    np.add.at(found, (labels[inside], predicted[inside]), 1)
    return found


def answers(r: Random, classes: int, samples: int, right: float) -> tuple[Ints, Ints]:
    """True classes, and what a model says that is right so often."""
    truth = r.rng.integers(0, classes, samples)
    wrong = r.rng.random(samples) > right
    return truth, np.where(wrong, r.rng.integers(0, classes, samples), truth)


READINGS = {
    "count from 1": lambda truth: truth + 1,
    "one too low": lambda truth: truth - 1,
    "alphabetical": lambda truth: np.argsort(np.argsort(NAMES))[truth],
    "last class": lambda truth: len(NAMES) - 1 - truth,
    "another order": lambda truth: np.array([2, 0, 4, 1, 3])[truth],
}


@pytest.mark.parametrize("words", READINGS)
@pytest.mark.parametrize("right", [0.7, 0.98])
def test_each_way_to_number_classes_is_named(words: str, right: float) -> None:
    truth, predicted = answers(Random(17, 5), len(NAMES), 300, right)
    text = doubt(matrix(READINGS[words](truth), predicted, len(NAMES)), NAMES)
    assert words in text and "accuracy" in text
    assert doubt(matrix(truth, predicted, len(NAMES)), NAMES) == ""


def test_any_permutation_is_found() -> None:
    r = Random(17, 6)
    for _ in range(50):
        classes = r.integer(2, 12)
        order = r.rng.permutation(classes)
        truth, predicted = answers(r, classes, 400, 0.9)
        text = doubt(matrix(order[truth], predicted, classes))
        moved = float(np.mean(order != np.arange(classes)))
        assert text or moved < 0.4
        assert doubt(matrix(truth, predicted, classes)) == ""


def test_numbers_sorted_as_text_are_found() -> None:
    truth, predicted = answers(Random(17, 7), 12, 400, 0.95)
    place = {int(text): at for at, text in enumerate(sorted(map(str, range(12))))}
    labels = np.array([place[int(one)] for one in truth])
    assert "sorted as text" in doubt(matrix(labels, predicted, 12))


@pytest.mark.parametrize("classes", [20, 100, 1000])
@pytest.mark.parametrize("right", [0.0, 0.2, 0.5])
def test_few_samples_of_many_classes_raise_no_alarm(classes: int, right: float) -> None:
    r = Random(17, 12)
    for samples in (10, 20, 40, 60, 100):
        for _ in range(20):
            truth, predicted = answers(r, classes, samples, right)
            assert doubt(matrix(truth, predicted, classes)) == ""


@pytest.mark.parametrize("kind", ["random", "always one", "unbalanced", "few samples", "one class"])
def test_bad_models_raise_no_alarm(kind: str) -> None:
    r = Random(17, 8)
    for _ in range(60):
        classes = r.integer(2, 8)
        truth, predicted = answers(r, classes, 200, 0.0)
        if kind == "always one":
            predicted = np.full_like(truth, r.integer(0, classes - 1))
        elif kind == "unbalanced":
            truth = np.where(r.rng.random(200) < 0.9, 1, truth)
            predicted = np.zeros_like(truth)
        elif kind == "few samples":
            truth, predicted = truth[:12], predicted[:12]
        elif kind == "one class":
            truth, predicted = np.ones_like(truth), np.zeros_like(truth)
        assert doubt(matrix(truth, predicted, classes)) == ""


def test_a_name_written_otherwise_is_named() -> None:
    task = Classification(2, "", ("Left turn", "right"))
    with pytest.raises(DataError) as caught:
        task.indices(np.array(["left_turn", "right"]), 2)
    assert "write 'Left turn'" in caught.value.hint


def test_numbers_that_are_names_of_classes_are_names() -> None:
    task = Classification(3, "", ("1", "2", "3"))
    assert task.indices(np.array([1, 2, 2]), 3).tolist() == [0, 1, 1]
    assert task.indices(np.array([3.0, 1.0]), 2).tolist() == [2, 0]
    assert task.indices(np.eye(3)[[0, 2]], 2).tolist() == [0, 2]
    with pytest.raises(DataError, match="'0', which is no class"):
        task.indices(np.array([0, 1, 1]), 3)


def test_each_piece_of_data_is_read_as_the_whole_is() -> None:
    r = Random(17, 11)
    for names in (("1", "2", "3"), ("0", "1", "2"), ("2", "0", "1"), ("10", "20", "30"), ("a", "b", "c")):
        task = Classification(3, "", names)
        truth = r.rng.integers(0, 3, 24)
        labels = np.array(names)[truth] if names[0] == "a" else np.array(names).astype(np.int64)[truth]
        for first in range(0, 24, 4):
            piece = task.indices(labels[first : first + 4], 4, first)
            assert piece.tolist() == truth[first : first + 4].tolist()


def test_what_fits_best_is_said() -> None:
    """Of three classes, two thirds are one too low as well."""
    truth, predicted = answers(Random(17, 10), 3, 100, 1.0)
    text = doubt(matrix(np.array([2, 0, 1])[truth], predicted, 3), ("a", "b", "c"))
    assert "another order (0 for 'b', 1 for 'c', 2 for 'a')" in text and "100.0 %" in text


def test_two_classes_the_wrong_way_round() -> None:
    truth, predicted = answers(Random(17, 9), 2, 100, 0.95)
    assert "wrong way round" in doubt(matrix(1 - truth, predicted, 2))
