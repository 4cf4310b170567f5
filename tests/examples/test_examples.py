# SPDX-License-Identifier: Apache-2.0
"""The examples run as their READMEs say, and make what they promise."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.places import CHECKOUT
from tinyserve import bundle as bundles
from tinyserve.bench.matrix import execute
from tinyserve.bench.matrix.cell import Cell
from tinyserve.bundle import TensorInfo
from tinyserve.cli.main import main
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert import Options, convert
from tinyserve.datasets import stream
from tinyserve.datasets.named import Reading
from tinyserve.features import spec
from tinyserve.progress import silent
from tinyserve.workflow import Build, Conversion, to_bundle

EXAMPLES = CHECKOUT / "examples"
REFERENCE = {  # MLPerf Tiny's id, and the MACs of its reference model
    "autoencoder": ("ad01", 264_192),
    "dscnn": ("kws01", 2_656_768),
    "resnet8": ("ic01", 12_501_632),
    "mobilenet_v1": ("vww01", 7_489_664),
    "resnet8_wide": ("ic01", 76_473_920),  # of ic01's shapes: the id ic02 has to be said
    "streaming_wakeword": ("sww01", 432_832),
}


def run(script: str, out: Path, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / script), "--out", str(out), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def weights(keras_file: Path) -> bytes:
    with zipfile.ZipFile(keras_file) as archive:
        return archive.read("model.weights.h5")


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCE)
def test_an_architecture_is_the_reference_models(name: str, tmp_path: Path) -> None:
    run(f"{name}/model.py", tmp_path)
    made = convert(
        tmp_path / f"{name}.keras", representative=tmp_path / "calib.npz", output=tmp_path / "bundle"
    )
    mlperf_id, macs = REFERENCE[name]
    assert made.manifest.mlperf_id == mlperf_id
    assert made.manifest.macs == macs
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 12, "the activations of an untrained model have collapsed"


def test_digits_trains_converts_and_does_nothing_the_second_time(tmp_path: Path) -> None:
    assert "test accuracy" in run("digits/train.py", tmp_path, "--epochs", "4")
    before = (tmp_path / "digits.keras").read_bytes()
    assert "up to date" in run("digits/train.py", tmp_path)
    assert (tmp_path / "digits.keras").read_bytes() == before
    with np.load(tmp_path / "test.npz") as held, np.load(tmp_path / "calib.npz") as calibration:
        assert held["x"].shape == (360, 8, 8, 1)
        assert held["y"].shape == (360,)
        assert calibration["x"].shape == (300, 8, 8, 1)
        assert 0 <= held["x"].min() < held["x"].max() <= 1


@pytest.mark.slow
def test_hello_sine_is_the_same_model_each_time(tmp_path: Path) -> None:
    for name in "ab":
        run("hello_sine/train.py", tmp_path / name, "--epochs", "2")
    first, second = (np.frombuffer(weights(tmp_path / n / "hello_sine.keras"), np.uint8) for n in "ab")
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("example", sorted(path.parent.name for path in EXAMPLES.glob("*/README.md")))
def test_a_readme_names_files_that_exist(example: str) -> None:
    text = (EXAMPLES / example / "README.md").read_text()
    scripts = [word for word in text.split() if word.startswith("examples/") and word.endswith(".py")]
    for script in scripts:
        assert (EXAMPLES.parent / script).is_file(), script


def test_the_forest_trains_and_keeps_its_answers_in_eight_bits(tmp_path: Path) -> None:
    assert "15 trees, test accuracy" in run("forest/train.py", tmp_path)
    made = convert(
        tmp_path / "forest.joblib",
        representative=tmp_path / "calib.npz",
        samples=tmp_path / "test.npz",
        output=tmp_path / "bundle",
        options=Options(trust=True),
    )
    assert made.manifest.ops == {"TreeEnsemble": 1}
    agreement = made.manifest.accuracy[0].top1_agreement
    assert agreement is not None and agreement >= 0.95


@pytest.mark.slow
def test_the_cascade_hears_every_word_once_on_the_twin(tmp_path: Path) -> None:
    assert "words of hops right" in run("cascade/train.py", tmp_path)
    for name in ("wake", "verify"):
        convert(
            tmp_path / f"{name}.joblib",
            representative=tmp_path / f"{name}.npz",
            output=tmp_path / f"{name}.bundle",
            options=Options(trust=True, features=spec.load(tmp_path / f"{name}.toml")),
        )
    conversion = Conversion(output=tmp_path / "pipeline.bundle")
    made = to_bundle(tmp_path / "pipeline.toml", conversion, silent)
    with np.load(tmp_path / "test.npz") as test:
        sound, words = test["x"][:, None], test["y"]
    _, events = HostModel(compile_model(made.model_bytes())).events([sound])
    begins = np.flatnonzero((words[1:] != words[:-1]) & (words[1:] != 0)) + 1
    assert [event.class_number for event in events] == words[begins].tolist()
    found = [event.inference - begin for event, begin in zip(events, begins, strict=True)]
    assert all(-6 <= late <= 6 for late in found)
    cell = Cell(
        tmp_path / "pipeline.toml", "nano33", conversion=conversion,
        build=Build(emulate=True), dataset=tmp_path / "test.npz", limit=400,
    )  # fmt: skip
    result = execute.run(cell, silent)
    assert result.check is not None and result.check.passed
    assert result.events is not None
    assert sum(count.count for count in result.events.counts) == sum(
        event.inference < 400 for event in events
    )


def converted(name: str, tmp_path: Path, *options: str) -> None:
    """As the README's ``convert`` does, with features in front."""
    source, features = tmp_path / f"{name}.joblib", tmp_path / "features.toml"
    command = ["convert", str(source), "--trust", "--features", str(features), *options]
    assert main([*command, "-o", str(tmp_path / f"{name}.bundle")]) == 0


def right(bundle: Path, samples: npt.NDArray[np.generic], labels: npt.NDArray[np.generic]) -> float:
    """The share of samples whose greatest score is their label's."""
    model = HostModel(compile_model(bundles.load(bundle).model_bytes()))
    scores = model.run_batch([samples[:, None]])[0].reshape(len(samples), -1)
    return float((scores.argmax(axis=1) == labels).mean())


@pytest.mark.slow
def test_gestures_are_told_apart_by_windows_of_the_table(tmp_path: Path) -> None:
    assert "test windows right" in run("gestures/train.py", tmp_path)
    rows = ["--time", "time", "--entity", "person"]
    converted("gestures", tmp_path, "--representative", str(tmp_path / "train.csv"), *rows)
    how = Reading(time="time", entity="person", sample_rate=50)
    held = stream.load(tmp_path / "test.csv", [TensorInfo("samples", [1, 100, 3], "float32")], how)
    assert held.labels is not None and len(held.labels) == 80
    assert right(tmp_path / "gestures.bundle", held.inputs[0], held.labels) >= 0.95


@pytest.mark.slow
def test_the_camera_sees_the_colour_of_a_ball_in_rgb565(tmp_path: Path) -> None:
    assert "test frames right" in run("camera/train.py", tmp_path)
    converted("camera", tmp_path, "--representative", str(tmp_path / "train.npz"))
    with np.load(tmp_path / "test.npz") as test:
        assert test["x"].shape == (200, 40, 60, 2) and test["x"].dtype == np.uint8
        assert right(tmp_path / "camera.bundle", test["x"], test["y"]) >= 0.95


def test_a_failing_bearing_is_an_alarm_and_a_good_one_is_none(tmp_path: Path) -> None:
    assert "of windows with a failing bearing" in run("vibration/train.py", tmp_path)
    made = to_bundle(tmp_path / "pipeline.toml", Conversion(output=tmp_path / "pipeline.bundle"), silent)
    with np.load(tmp_path / "test.npz") as test, np.load(tmp_path / "faults.npz") as known:
        windows, faults = test["x"][:, None], known["y"]
    _, events = HostModel(compile_model(made.model_bytes())).events([windows])
    begins = int(np.argmax(faults))
    assert events and all(event.name == "alarm" for event in events)
    assert begins <= events[0].inference <= begins + 5
