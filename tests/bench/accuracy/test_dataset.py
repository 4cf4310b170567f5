# SPDX-License-Identifier: Apache-2.0
"""Data sets for the device: quantized as the model wants them, labels checked, accuracy counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import bundle
from tinyserve.bench.accuracy import dataset
from tinyserve.bundle import ORIGINAL_FILE, Bundle
from tinyserve.datasets.named import Reading
from tinyserve.errors import DataError
from tinyserve.quality.limits import judge
from tinyserve.report.quality import scores


def save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


IMAGES = np.linspace(0, 15.9, 4 * 64, dtype=np.float32).reshape(4, 8, 8, 1)


def test_real_values_are_quantized_with_the_inputs_scale(classifier: Bundle, tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x=IMAGES, y=np.array([0, 1, 2, 0]))
    data = dataset.load(path, classifier.manifest)
    wanted = np.clip(np.floor(IMAGES * 16 + 0.5) - 128, -128, 127).astype(np.int8)
    assert np.array_equal(data.inputs[0], wanted)
    assert data.sample(2) == [wanted[2].tobytes()]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "has no labels"),
        (np.array([0, 1, 2, 3]), "the label of sample 3 is 3, classes are 0 to 2"),
        (np.array([-1, 0, 1, 2]), "the label of sample 0 is -1"),
        (np.array([0.5, 0, 1, 2]), "the label of sample 0 is 0.5"),
        (np.array([np.nan, 0, 1, 2]), "the label of sample 0 is nan"),
        (np.array(["yes", "no", "no", "no"]), "the model's class names are not known"),
    ],
)
def test_labels_that_make_no_sense_are_data_errors(
    classifier: Bundle, tmp_path: Path, labels: np.ndarray | None, said: str
) -> None:
    arrays = {"x": IMAGES} if labels is None else {"x": IMAGES, "y": labels}
    path = save(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=r"d\.npz") as caught:
        dataset.load(path, classifier.manifest)
    assert said in caught.value.message


def test_an_empty_data_set_is_told_to_hold_a_sample(classifier: Bundle, tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", x=IMAGES[:0], y=np.zeros(0, np.int64))
    with pytest.raises(DataError, match="is empty") as caught:
        dataset.load(path, classifier.manifest)
    assert "at least one sample" in caught.value.hint


def test_whole_float_labels_and_one_hot_rows_are_class_indices(classifier: Bundle, tmp_path: Path) -> None:
    for labels in (np.array([0.0, 1.0, 2.0, 1.0]), np.eye(3)[[0, 1, 2, 1]]):
        path = save(tmp_path / "d.npz", x=IMAGES, y=labels)
        assert np.asarray(dataset.load(path, classifier.manifest).labels).tolist() == [0, 1, 2, 1]


def test_labels_that_count_from_1_make_the_verdict_poor(classifier: Bundle, tmp_path: Path) -> None:
    predicted = np.resize([0, 1], 60)
    images = np.zeros((60, 8, 8, 1), np.float32)
    data = dataset.load(save(tmp_path / "d.npz", x=images, y=predicted + 1), classifier.manifest)
    found = dataset.measured(
        data, list(np.eye(3, dtype=np.int8)[predicted][:, None]), classifier.manifest, []
    )
    assert found.correct == 0 and found.scores is not None
    assert "subtract 1 from each (accuracy 100.0 % instead of 0.0 %)" in found.scores.doubt
    verdict = judge([], msgspec.structs.replace(found.scores, original=found.scores.converted), 60)
    assert verdict is not None and verdict.grade == "poor" and "subtract 1" in verdict.reasons[0]
    assert "subtract 1" in scores(found.scores)


def test_labels_from_1_to_the_number_of_classes_are_refused_with_what_to_do(
    classifier: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        dataset.load(save(tmp_path / "d.npz", x=IMAGES, y=np.array([1, 2, 3, 1])), classifier.manifest)
    assert "subtract 1 from each" in caught.value.hint


def test_numbers_as_text_are_class_indices(classifier: Bundle, tmp_path: Path) -> None:
    data = dataset.load(
        save(tmp_path / "d.npz", x=IMAGES, y=np.array(["0", "2", "1", "0"])), classifier.manifest
    )
    rows = data.task.rows(0, np.eye(3)[[0, 2, 1, 1]], data.labels, [])
    assert rows.label.tolist() == [0, 2, 1, 0]


def test_the_float_originals_accuracy_is_that_of_its_outputs(classifier: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(classifier.path, copy)
    labels = np.array([0, 1, 2, 0])
    data = dataset.load(save(tmp_path / "d.npz", x=IMAGES, y=labels), classifier.manifest)
    assert dataset.original_scores(classifier, data) == []
    weights = np.random.default_rng(5).normal(size=(3, 64)).astype(np.float32)
    model = ModelBuilder()
    graph = model.graph()
    image = graph.input((1, 8, 8, 1), "float32")
    output = graph.tensor((1, 3), "float32")
    graph.op("FULLY_CONNECTED", [image, graph.constant(weights), None], [output])
    graph.output(output)
    (copy / ORIGINAL_FILE).write_bytes(model.build())
    predicted = (IMAGES.reshape(4, 64) @ weights.T).argmax(axis=1)
    (score,) = dataset.original_scores(bundle.load(copy), data)
    assert score.value == (predicted == labels).mean()


def test_tables_and_images_are_read_as_the_options_say(classifier: Bundle, tmp_path: Path) -> None:
    rows = [f"{k / 50},{','.join(['0.5'] * 8)},{k // 8 % 3}" for k in range(32)]
    path = tmp_path / "d.csv"
    path.write_text("\n".join([",".join(["at", *"abcdefgh", "label"]), *rows]) + "\n")
    data = dataset.load(path, classifier.manifest, reading=Reading(time="at", stride=16))
    assert data.labels is not None and data.labels.tolist() == [0, 2]
