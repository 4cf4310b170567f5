# SPDX-License-Identifier: Apache-2.0
"""Representative data that is no array yet: images, tables, audio, and functions of the user's."""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyserve.bundle import TensorInfo
from tinyserve.datasets import readers
from tinyserve.datasets.named import Reading
from tinyserve.errors import DataError

GREY = TensorInfo("image", [1, 4, 6, 1], "float32")
COLOUR = TensorInfo("image", [1, 4, 6, 3], "float32")
WINDOW = TensorInfo("motion", [1, 5, 2], "float32")
AUDIO = TensorInfo("audio", [1, 800], "float32")
FEATURES = TensorInfo("mfcc", [1, 49, 10, 1], "float32")
PIXELS = Reading(pixel_range=(-1.0, 1.0))


def save_image(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def save_wav(path: Path, values: np.ndarray, width: int = 2, channels: int = 1, rate: int = 16000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    integers = np.round(values * (2.0 ** (8 * width - 1) - 1)).astype(np.int64)
    if width == 1:
        integers += 128
    raw = integers.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)


def test_images_are_resized_normalised_and_labelled_by_directory(tmp_path: Path) -> None:
    save_image(tmp_path / "cat" / "a.png", np.full((4, 6, 3), 255))
    save_image(tmp_path / "dog" / "b.png", np.zeros((40, 60, 3)))
    found = readers.load(tmp_path, [COLOUR], PIXELS)
    assert found.inputs[0].shape == (2, 4, 6, 3)
    assert found.inputs[0][0].tolist() == np.ones((4, 6, 3)).tolist()
    assert found.inputs[0][1].max() == -1.0
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1]
    assert found.classes == ("cat", "dog")
    assert "-1..1" in found.notes[0]


def test_colour_images_become_grey_for_a_grey_model_and_back(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", np.full((4, 6, 3), 100))
    grey = readers.load(tmp_path, [GREY], Reading(pixel_range=(0, 255))).inputs[0]
    assert grey.shape == (1, 4, 6, 1)
    assert grey.min() == grey.max() == 100
    save_image(tmp_path / "a.png", np.full((4, 6), 100))
    assert readers.load(tmp_path, [COLOUR], Reading(pixel_range=(0, 255))).inputs[0].shape == (1, 4, 6, 3)


def test_images_are_refused_until_somebody_says_how_they_are_normalised(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", np.zeros((4, 6)))
    with pytest.raises(DataError, match="normalised") as caught:
        readers.load(tmp_path, [GREY])
    assert "--pixel-range 0 1" in caught.value.hint


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", np.zeros((4, 6)))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[:40])
    with pytest.raises(DataError, match=r"b\.png"):
        readers.load(tmp_path, [GREY], PIXELS)


def test_images_for_a_model_that_takes_none(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", np.zeros((4, 6)))
    with pytest.raises(DataError, match="no image"):
        readers.load(tmp_path, [AUDIO], PIXELS)


def test_channels_first_arrays_are_turned(tmp_path: Path) -> None:
    array = np.random.default_rng(0).uniform(0, 1, (7, 3, 4, 6)).astype(np.float32)
    np.save(tmp_path / "d.npy", array)
    found = readers.load(tmp_path / "d.npy", [COLOUR]).inputs[0]
    np.testing.assert_array_equal(found, array.transpose(0, 2, 3, 1))


def test_csv_windows_follow_each_other_and_carry_the_last_rows_label(tmp_path: Path) -> None:
    rows = [f"{i},{-i},{i // 5}" for i in range(12)]
    (tmp_path / "d.csv").write_text("\n".join(["ax,ay,label", *rows]))
    found = readers.load(tmp_path / "d.csv", [WINDOW])
    assert found.inputs[0].shape == (2, 5, 2)
    assert found.inputs[0][1][0].tolist() == [5.0, -5.0]
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1]
    overlapping = readers.load(tmp_path / "d.csv", [WINDOW], Reading(stride=1))
    assert len(overlapping) == 8


def test_no_csv_window_spans_two_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("\n".join(f"{i},0" for i in range(7)))
    assert len(readers.load(tmp_path, [WINDOW])) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("1,2\n3,x\n", "line 2"),
        ("a,b\n1,2\n3\n", "line 3"),
        ("1,2\n3,4\n", "rows of one window"),
        ("1,2,3\n" * 20, "3 columns"),
        ("1,2,3,4,5\n" * 20, "5 columns"),  # as many values as two rows, but of other columns
        ("1,nan\n" * 20, "not finite"),
    ],
)
def test_csv_that_does_not_fit(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        readers.load(tmp_path / "d.csv", [WINDOW])


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_of_every_width_is_minus_one_to_one(tmp_path: Path, width: int) -> None:
    wanted = np.sin(np.linspace(0, 20, 1700)) * 0.9
    save_wav(tmp_path / "a.wav", wanted, width)
    found = readers.load(tmp_path / "a.wav", [AUDIO]).inputs[0]
    assert found.shape == (2, 800)
    np.testing.assert_allclose(found.ravel(), wanted[:1600], atol=2 * 2.0 ** (1 - 8 * width) + 1e-6)


def test_wav_channels_are_averaged_and_short_files_padded(tmp_path: Path) -> None:
    save_wav(tmp_path / "yes" / "a.wav", np.tile([0.5, -0.25], 500), channels=2)
    save_wav(tmp_path / "no" / "b.wav", np.full(800, 0.5))
    found = readers.load(tmp_path, [AUDIO])
    assert found.classes == ("no", "yes")
    assert found.labels is not None
    by_label = dict(zip(found.labels.tolist(), found.inputs[0], strict=True))
    np.testing.assert_allclose(by_label[1][:500], 0.125, atol=1e-3)
    assert not by_label[1][500:].any()


def test_wav_at_another_rate_for_features_or_cut_short(tmp_path: Path) -> None:
    save_wav(tmp_path / "a.wav", np.zeros(900) + 0.1)
    with pytest.raises(DataError, match="16000 Hz, the model takes 8000"):
        readers.load(tmp_path / "a.wav", [AUDIO], Reading(sample_rate=8000))
    with pytest.raises(DataError, match="takes features"):
        readers.load(tmp_path / "a.wav", [FEATURES])
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:20])
    with pytest.raises(DataError, match=r"a\.wav"):
        readers.load(tmp_path / "a.wav", [AUDIO])


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of generators in the current directory."""
    (tmp_path / "recorded_samples.py").write_text(
        "import numpy as np\n"
        "def good():\n    for i in range(20): yield np.full((5, 2), i)\n"
        "def pairs():\n    for i in range(20): yield np.ones((5, 2)), np.ones(800)\n"
        "def named():\n    for i in range(20): yield {'audio': np.ones(800), 'motion': np.zeros((5, 2))}\n"
        "def none():\n    return iter(())\n"
        "def ragged():\n    yield np.zeros((5, 2)); yield np.zeros((4, 2))\n"
        "def broken():\n    yield np.zeros((5, 2)); raise KeyError('sensor')\n"
        "def forever():\n    while True: yield np.zeros((5, 2))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "recorded_samples", raising=False)
    return "recorded_samples"


def test_a_function_yields_samples(module: str) -> None:
    assert readers.load(f"{module}:good", [WINDOW]).inputs[0].shape == (20, 5, 2)
    for name in ("pairs", "named"):
        assert len(readers.load(f"{module}:{name}", [WINDOW, AUDIO]).inputs) == 2
    assert len(readers.load(f"{module}:forever", [WINDOW])) == 10_000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "yielded no sample"),
        ("ragged", "sample 1 of 'motion'"),
        ("broken", "after 1 sample: KeyError"),
        ("pairs", "sample 0 has 2 arrays"),
        ("missing", "missing"),
    ],
)
def test_a_function_that_fails_is_told_where(module: str, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        readers.load(f"{module}:{name}", [WINDOW])


def test_a_module_that_is_not_there(module: str) -> None:
    with pytest.raises(DataError, match="no_such_module"):
        readers.load("no_such_module:samples", [WINDOW])
