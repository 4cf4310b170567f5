# SPDX-License-Identifier: Apache-2.0
"""Representative data: what is understood, and what every kind of bad data is told."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from tinyserve.bundle import TensorInfo
from tinyserve.datasets import readers, stream, synthetic
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.named import Reading
from tinyserve.errors import DataError

IMAGE = TensorInfo("image", [1, 4, 4, 1], "float32")
VECTOR = TensorInfo("vector", [1, 3], "float32")
TOKENS = TensorInfo("tokens", [1, 5], "int32")
INT8 = TensorInfo("image", [1, 4, 4, 1], "int8", 0.5, -3)


def images(count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (count, 4, 4, 1)).astype(np.float32)


def test_npz_with_samples_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=images(), y=np.arange(12))
    found = readers.load(tmp_path / "d.npz", [IMAGE])
    np.testing.assert_array_equal(found.inputs[0], images())
    assert found.labels is not None
    assert found.labels.tolist() == list(range(12))


def test_labels_of_a_named_output_are_those_of_its_name(tmp_path: Path) -> None:
    """In one file that holds them for all outputs; else those called y."""
    kinds, sizes = np.arange(12) % 3, np.linspace(0, 1, 12)
    np.savez(tmp_path / "d.npz", x=images(), kind=kinds, size=sizes, y=np.zeros(12))
    for name, wanted in (("kind", kinds), ("size", sizes), ("other", np.zeros(12)), ("", np.zeros(12))):
        for load in (readers.load, stream.load):
            labels = load(tmp_path / "d.npz", [IMAGE], Reading(labels=name)).labels
            np.testing.assert_array_equal(labels, wanted)


def test_an_input_is_no_label(tmp_path: Path) -> None:
    """An output may have the name of an input."""
    np.savez(tmp_path / "d.npz", image=images(), vector=np.zeros((12, 3), np.float32))
    found = readers.load(tmp_path / "d.npz", [IMAGE, VECTOR], Reading(labels="vector"))
    assert found.labels is None


def test_one_hot_labels_become_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=images(3), labels=np.eye(3))
    labels = readers.load(tmp_path / "d.npz", [IMAGE]).labels
    assert labels is not None
    assert labels.tolist() == [0, 1, 2]


def test_npy_and_axes_of_one_are_forgiven(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", images()[..., 0])
    assert readers.load(tmp_path / "d.npy", [IMAGE]).inputs[0].shape == (12, 4, 4, 1)


def test_a_directory_of_single_samples_in_order_of_names(tmp_path: Path) -> None:
    for index, image in enumerate(images(3)):
        np.save(tmp_path / f"{index}.npy", image)
    np.save(tmp_path / "labels.npy", np.array([5, 6, 7]))
    found = readers.load(tmp_path, [IMAGE])
    np.testing.assert_array_equal(found.inputs[0], images(3))
    assert found.labels is not None
    assert found.labels.tolist() == [5, 6, 7]


def test_a_directory_of_batches_of_different_length(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", images(5)[:2])
    np.save(tmp_path / "b.npy", images(5)[2:])
    np.testing.assert_array_equal(readers.load(tmp_path, [IMAGE]).inputs[0], images(5))


def test_a_directory_per_input(tmp_path: Path) -> None:
    for name, array in (("image", images(4)), ("vector", np.ones((4, 3), np.float32))):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "all.npy", array)
    found = readers.load(tmp_path, [VECTOR, IMAGE])
    assert [array.shape for array in found.inputs] == [(4, 3), (4, 4, 4, 1)]


def test_several_inputs_by_name_by_number_and_by_shape(tmp_path: Path) -> None:
    vector = np.ones((12, 3), np.float32)
    for name, arrays in {
        "name": {"vector": vector, "image": images()},
        "number": {"input_0": images(), "input_1": vector},
        "shape": {"a": vector, "b": images()},
    }.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        found = readers.load(tmp_path / f"{name}.npz", [IMAGE, VECTOR])
        assert [array.shape for array in found.inputs] == [(12, 4, 4, 1), (12, 3)]


def test_integers_become_the_inputs_type(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=images() * 255 // 1, tokens=np.ones((12, 5)))
    found = readers.load(tmp_path / "d.npz", [IMAGE, TOKENS])
    assert [array.dtype for array in found.inputs] == [np.float32, np.int32]


def test_bytes_for_a_quantized_input_are_taken_as_quantized(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.full((2, 4, 4, 1), 7, np.int8))
    assert readers.load(tmp_path / "d.npy", [INT8]).inputs[0].max() == 5.0


def test_random_data_only_by_name() -> None:
    found = readers.load("random", [IMAGE, TOKENS])
    assert found.synthetic
    assert len(found) == 100
    again = readers.load("random", [IMAGE, TOKENS])
    np.testing.assert_array_equal(found.inputs[0], again.inputs[0])


def test_held_samples_are_a_fifth_and_not_calibrated_with() -> None:
    whole = Dataset([np.arange(100)], np.arange(100), "here")
    rest, held = readers.split(whole, held=50)
    assert len(held) == 20
    assert len(rest) == 80
    assert not set(held.inputs[0]) & set(rest.inputs[0])
    assert held.labels is not None
    assert held.labels.tolist() == held.inputs[0].tolist()
    assert len(readers.split(whole, held=5)[1]) == 5


def test_a_few_samples_are_not_split() -> None:
    whole = Dataset([np.arange(9)], None, "here")
    rest, held = readers.split(whole, held=50)
    assert rest is held is whole


def test_statistics_are_of_the_real_values() -> None:
    array = np.linspace(-1, 3, 401, dtype=np.float32).reshape(401, 1)
    found = readers.statistics(Dataset([array], None, "here"), [TensorInfo("x", [1, 1], "float32")])[0]
    assert (found.minimum, found.maximum, found.samples) == (-1.0, 3.0, 401)
    assert found.mean == pytest.approx(1.0)
    assert found.percentiles["50"] == pytest.approx(1.0)


BAD: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "nan": ({"x": np.where(np.arange(12)[:, None, None, None] == 7, np.nan, images())}, "first is sample 7"),
    "infinite": ({"x": np.full((2, 4, 4, 1), np.inf)}, "2 of 2 samples"),
    "empty": ({"x": np.zeros((0, 4, 4, 1))}, "is empty"),
    "nothing": ({}, "holds no samples"),
    "labels alone": ({"y": np.arange(3)}, "holds no samples"),
    "other shape": ({"x": np.zeros((12, 28, 28, 1))}, r"\(12, 28, 28, 1\), the model takes \(N, 4, 4, 1\)"),
    "scalar": ({"x": np.float32(3)}, "shape"),
    "text": ({"x": np.array(["a", "b"])}, "not numbers"),
    "labels of another length": ({"x": images(), "y": np.arange(5)}, "labels for 12 samples"),
    "two candidates": ({"a": images(), "b": images()}, "which array is the input 'image'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_told_what_and_where(tmp_path: Path, case: str) -> None:
    arrays, message = BAD[case]
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        readers.load(tmp_path / "bad.npz", [IMAGE])
    assert "bad.npz" in caught.value.message
    assert caught.value.hint


def test_a_single_sample_gets_the_remedy(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", images()[0])
    with pytest.raises(DataError) as caught:
        readers.load(tmp_path / "d.npy", [IMAGE])
    assert "array[None]" in caught.value.hint


def test_inputs_of_different_length(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=images(5), vector=np.ones((4, 3)))
    with pytest.raises(DataError, match="image: 5, vector: 4"):
        readers.load(tmp_path / "d.npz", [IMAGE, VECTOR])


def test_values_beyond_an_integer_input(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.full((2, 5), 2.5))
    with pytest.raises(DataError, match="int32"):
        readers.load(tmp_path / "d.npy", [TOKENS])


def test_pickles_are_refused_without_being_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="pickle"):
        readers.load(tmp_path / "d.npz", [IMAGE])


@pytest.mark.parametrize("keep", [0, 1, 10, 100, 600])
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_truncated_files(tmp_path: Path, suffix: str, keep: int) -> None:
    path = tmp_path / f"cut{suffix}"
    np.savez(path, x=images()) if suffix == ".npz" else np.save(path, images())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="cut"):
        readers.load(path, [IMAGE])


def test_a_file_of_another_type_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("1 2 3")
    with pytest.raises(DataError, match=r"not known|\(found: \.txt\)"):
        readers.load(tmp_path / "d.txt", [IMAGE])
    with pytest.raises(DataError, match="no such file"):
        readers.load(tmp_path / "missing.npz", [IMAGE])


def test_a_directory_without_arrays_or_with_ragged_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found: nothing"):
        readers.load(tmp_path, [IMAGE])
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 1)))
    np.save(tmp_path / "b.npy", np.zeros((5, 4, 2)))
    with pytest.raises(DataError, match="differ in shape"):
        readers.load(tmp_path, [IMAGE])


def test_masks_of_yes_and_no_have_statistics() -> None:
    info = TensorInfo("mask", [1, 4], "bool")
    (found,) = readers.statistics(synthetic.random([info], 8), [info])
    assert (found.minimum, found.maximum) == (0.0, 1.0)


def test_floats_that_stand_for_bytes_are_whole(tmp_path: Path) -> None:
    info = TensorInfo("x", [1, 4], "float32", source_dtype="uint8")
    values = synthetic.random([info], 50).inputs[0]
    assert values.dtype == np.float32 and values.min() >= 0 and 200 < values.max() <= 255
    assert (values == np.trunc(values)).all()
    np.savez(tmp_path / "scaled.npz", x=values / 255)
    with pytest.raises(DataError, match="does not fit the input's type uint8"):
        readers.load(tmp_path / "scaled.npz", [info])


@pytest.mark.parametrize(
    ("place", "raw", "said"),
    [
        (34, b"\x48\0", "samples of 72 bits"),
        (22, b"\0\0", "bad # of channels"),
        (20, b"\3\0", "unknown format"),
    ],
)
def test_a_wav_of_another_kind_is_named(place: int, raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    data = bytearray(path.read_bytes())
    data[place : place + len(raw)] = raw
    path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        readers.load(path, [TensorInfo("samples", [1, 1600], "int16")])
    path.write_bytes(data[:30])
    with pytest.raises(DataError, match=r"cannot be read as WAV: \S"):
        readers.load(path, [TensorInfo("samples", [1, 1600], "int16")])
