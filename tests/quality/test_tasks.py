# SPDX-License-Identifier: Apache-2.0
"""Which task a model has, and its metrics, beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from tinyserve.bundle import TensorInfo
from tinyserve.errors import DataError, UsageError
from tinyserve.quality.rows import Task
from tinyserve.quality.tasks import Wanted, choose

IMAGE = TensorInfo("image", [1, 8, 8, 3], "int8", 1.0, 0)
FEATURES = TensorInfo("features", [1, 16], "float32")
RNG = np.random.default_rng


def scores(
    task: Task, outputs: np.ndarray, labels: np.ndarray | None, *inputs: np.ndarray
) -> dict[str, float]:
    """In two parts, as a run adds them."""
    tally, half = task.tally(), len(outputs) // 2
    for part in (slice(0, half), slice(half, None)):
        known = None if labels is None else labels[part]
        tally.add(task.rows(part.start or 0, outputs[part], known, [array[part] for array in inputs]))
    return {score.metric: score.value for score in tally.scores()}


@pytest.mark.parametrize(
    ("shape", "labels", "name"),
    [
        ([1, 10], np.arange(20) % 10, "classification"),
        ([1, 10], np.eye(10)[np.arange(20) % 10], "regression"),  # readers make indices of one-hot rows
        ([1, 10], np.array(["a", "b"] * 10), "classification"),
        ([1, 1], np.arange(20) % 2, "classification"),
        ([1, 1], np.linspace(0, 1, 20), "regression"),
        ([1, 1], np.arange(20), "regression"),
        ([1, 3], np.ones((20, 3)) / 7, "regression"),
        ([1, 8, 8, 4], np.zeros((20, 8, 8), int), "segmentation"),
        ([1, 8, 8, 4], np.zeros((20, 8, 8, 1), int), "segmentation"),
        ([1, 8, 8, 1], np.zeros((20, 8, 8), int), "segmentation"),
        ([1, 8, 8, 1], np.full((20, 8, 8, 1), 0.3), "regression"),
        ([1, 8, 8, 4], np.eye(4)[np.zeros((20, 8, 8), int)], "segmentation"),
        ([1, 16], np.arange(20) % 2, "reconstruction"),
        ([1, 16], np.array(["normal", "anomaly"] * 10), "reconstruction"),
        ([1, 16], np.arange(20) % 16, "classification"),
        ([1, 16], None, "reconstruction"),
    ],
)
def test_the_task_follows_from_outputs_and_labels(
    shape: list[int], labels: np.ndarray | None, name: str
) -> None:
    output = TensorInfo("y", shape, "float32")
    found = choose(output, [FEATURES], ["a", "b"] * 5, labels)
    assert found.name == name
    assert found.why


def test_the_task_can_be_asked_for() -> None:
    output, labels = TensorInfo("y", [1, 1], "float32"), np.arange(20) % 2
    asked = choose(output, [FEATURES], [], labels, Wanted("regression"))
    assert (asked.name, asked.why) == ("regression", "--task")
    with pytest.raises(UsageError, match="no places"):
        choose(output, [FEATURES], [], labels, Wanted("segmentation"))
    with pytest.raises(UsageError, match="shape of no input"):
        choose(TensorInfo("y", [1, 3], "float32"), [FEATURES], [], labels, Wanted("reconstruction"))


def test_labels_that_fit_nothing_are_named() -> None:
    with pytest.raises(DataError, match="fit no task"):
        choose(TensorInfo("y", [1, 10], "float32"), [FEATURES], [], np.zeros((20, 7)))


def test_accuracy_and_top_k_are_scikit_learns() -> None:
    from sklearn import metrics

    rng = RNG(3)
    outputs, labels = rng.normal(size=(200, 6)), rng.integers(0, 6, 200)
    task = choose(TensorInfo("y", [1, 6], "float32"), [FEATURES], [], labels, Wanted(top=3))
    found = scores(task, outputs, labels)
    assert found["accuracy"] == metrics.accuracy_score(labels, outputs.argmax(axis=1))
    assert found["top-3 accuracy"] == metrics.top_k_accuracy_score(labels, outputs, k=3)


def test_equal_scores_rank_as_argmax_takes_them() -> None:
    """int8 scores are often equal: rank 0 is the class that is predicted, never two classes."""
    rng = RNG(4)
    outputs, labels = rng.integers(0, 3, (300, 5)), rng.integers(0, 5, 300)
    task = choose(TensorInfo("y", [1, 5], "int8"), [FEATURES], [], labels)
    rows = task.rows(0, outputs, labels, [])
    np.testing.assert_array_equal(rows.rank == 0, rows.predicted == labels)
    assert rows.rank.max() == 4


@pytest.mark.parametrize("labels", [["bird", "cat"], [b"bird", b"cat"], np.array(["bird", "cat"], object)])
def test_labels_may_be_the_models_class_names(labels: object) -> None:
    output = TensorInfo("y", [1, 3], "float32")
    given = np.array(labels)
    task = choose(output, [FEATURES], ["cat", "dog", "bird"], given)
    assert scores(task, np.eye(3)[[2, 0]], given)["accuracy"] == 1.0
    with pytest.raises(DataError, match="'cow', which is no class"):
        task.rows(0, np.eye(3)[[0]], np.array(["cow"]), [])


def test_numbers_are_names_where_classes_are_called_so() -> None:
    """A scikit-learn model of the digits 3, 7 and 9: its labels are those numbers."""
    labels = np.array([3, 9, 7])
    task = choose(TensorInfo("y", [1, 3], "float32"), [FEATURES], ["3", "7", "9"], labels)
    assert scores(task, np.eye(3)[[0, 2, 1]], labels)["accuracy"] == 1.0


def test_a_logit_is_cut_at_zero_and_a_probability_at_a_half() -> None:
    labels = np.array([0, 1, 1, 0])
    logit = choose(TensorInfo("y", [1, 1], "int8", 0.1, 0), [FEATURES], [], labels)
    assert scores(logit, np.array([[-3.0], [0.2], [4.0], [-0.1]]), labels)["accuracy"] == 1.0
    probability = choose(TensorInfo("y", [1, 1], "int8", 1 / 256, -128), [FEATURES], [], labels)
    assert scores(probability, np.array([[0.1], [0.7], [0.9], [0.4]]), labels)["accuracy"] == 1.0


def test_regression_is_scikit_learns() -> None:
    from sklearn import metrics

    rng = RNG(5)
    targets = rng.normal(size=(100, 2)) * (1, 30) + (0, 10_000)
    outputs = targets + rng.normal(size=(100, 2))
    task = choose(TensorInfo("y", [1, 2], "float32"), [FEATURES], [], targets)
    found = scores(task, outputs, targets)
    assert found["R²"] == pytest.approx(metrics.r2_score(targets, outputs))
    assert found["MAE"] == pytest.approx(metrics.mean_absolute_error(targets, outputs))
    assert found["RMSE"] == pytest.approx(np.sqrt(metrics.mean_squared_error(targets, outputs)))


def test_targets_that_do_not_vary_have_no_r_squared() -> None:
    targets = np.full(10, 0.25)
    task = choose(TensorInfo("y", [1, 1], "float32"), [FEATURES], [], targets)
    assert set(scores(task, np.zeros((10, 1)), targets)) == {"RMSE", "MAE"}


def test_mean_iou_is_scikit_learns_jaccard_over_all_places() -> None:
    from sklearn import metrics

    rng = RNG(6)
    masks, outputs = rng.integers(0, 3, (10, 8, 8)), rng.normal(size=(10, 8, 8, 4))
    task = choose(TensorInfo("y", [1, 8, 8, 4], "float32"), [IMAGE], [], masks)
    predicted = outputs.argmax(axis=3)
    found = scores(task, outputs, masks)
    wanted = metrics.jaccard_score(masks.ravel(), predicted.ravel(), average="macro", labels=[0, 1, 2, 3])
    assert found["mean IoU"] == pytest.approx(wanted)
    one_hot = scores(task, outputs, np.eye(4)[masks])
    assert one_hot == found
    ignored = masks.copy()
    ignored[:, 0] = 255
    assert scores(task, outputs, ignored) != found


def test_auc_of_reconstruction_errors_is_scikit_learns() -> None:
    from sklearn import metrics

    rng = RNG(7)
    inputs = rng.normal(size=(60, 16))
    labels = np.arange(60) % 3 == 0
    outputs = inputs + rng.normal(size=(60, 16)) * np.where(labels, 1.0, 0.6)[:, None]
    task = choose(TensorInfo("y", [1, 16], "float32"), [FEATURES], [], labels.astype(int))
    found = scores(task, outputs, labels.astype(int), inputs)
    errors = ((outputs - inputs) ** 2).mean(axis=1)
    assert found["AUC"] == pytest.approx(metrics.roc_auc_score(labels, errors))
    assert found["RMS error"] == pytest.approx(np.sqrt(errors[~labels].mean()))
    alone = scores(choose(TensorInfo("y", [1, 16], "float32"), [FEATURES], [], None), outputs, None, inputs)
    assert set(alone) == {"RMS error"}
