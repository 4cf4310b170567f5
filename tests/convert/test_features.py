# SPDX-License-Identifier: Apache-2.0
"""Conversions with features in front of the model: it takes raw samples from then on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.features.specs import MOTION, SPEECH, spec
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.bench.accuracy import dataset
from tinyserve.bench.accuracy.run import run
from tinyserve.convert import Options, convert
from tinyserve.errors import DataError, UnsupportedError, UsageError
from tinyserve.features.run import FeatureRunner

WEIGHTS = np.random.default_rng(8).normal(size=(3, 110)).astype(np.float32) / 10


def network(inputs: int = 1) -> bytes:
    """Class scores of 110 features, in float32."""
    model = ModelBuilder()
    graph = model.graph()
    given = [graph.input((1, 110), "float32") for _ in range(inputs)]
    y = graph.tensor((1, 3), "float32")
    graph.op("FULLY_CONNECTED", [given[0], graph.constant(WEIGHTS), None], [y])
    graph.output(y)
    return model.build()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "scores.tflite").write_bytes(network())
    x = (np.random.default_rng(0).normal(size=(60, 1600)) * 3000).astype(np.int16)
    np.savez(tmp_path / "raw.npz", x=x, y=np.arange(60) % 3)
    return tmp_path / "scores.tflite"


@pytest.mark.parametrize("quantize", ["float32", "int8", "int16x8"])
def test_the_bundle_takes_raw_samples_and_scores_their_features(
    quantize: str, source: Path, tmp_path: Path
) -> None:
    made = convert(
        source, output=tmp_path / "made", representative=tmp_path / "raw.npz", quantize=quantize,
        options=Options(features=spec(SPEECH)),
    )  # fmt: skip
    (taken,), (given,) = made.manifest.inputs, made.manifest.outputs
    assert (taken.name, taken.shape, taken.dtype, taken.scale) == ("samples", [1, 1600], "int16", 0.0)
    samples = made.samples()
    wanted = FeatureRunner(spec(SPEECH)).run(samples.inputs[0]).reshape(-1, 110) @ WEIGHTS.T
    scores = samples.expected[0].astype(np.float64)
    if given.scale:
        scores = (scores - given.zero_point) * given.scale
    noise = np.square(wanted - scores).sum()
    least = {"float32": 100, "int8": 25, "int16x8": 40}[quantize]
    assert 10 * np.log10(np.square(wanted).sum() / max(noise, 1e-30)) > least
    assert not any("stays in float32" in note for note in made.manifest.notes)


def test_features_are_put_in_front_of_one_input_and_must_fit_it(source: Path, tmp_path: Path) -> None:
    options = Options(features=spec(SPEECH.replace("coefficients = 10", "coefficients = 11")))
    with pytest.raises(DataError, match=r"\[11, 11\].*\[1, 110\]"):
        convert(source, output=tmp_path / "made", quantize="float32", options=options)
    source.write_bytes(network(inputs=2))
    with pytest.raises(UnsupportedError, match="2 inputs"):
        convert(source, output=tmp_path / "made", quantize="float32", options=Options(features=spec(SPEECH)))
    assert not (tmp_path / "made").exists()


def test_a_stream_goes_on_from_sample_to_sample(source: Path, tmp_path: Path) -> None:
    text = MOTION + '[[steps]]\nkind = "select"\ncolumns = [' + ", ".join(map(str, range(27))) + "]\n"
    text += '[[steps]]\nkind = "reshape"\nshape = [108]\n'
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 108), "float32"), graph.tensor((1, 108), "float32")
    graph.op("RELU", [x], [y])
    graph.output(y)
    source.write_bytes(model.build())
    x = np.random.default_rng(0).normal(size=(12, 48, 3)).astype(np.float32)
    np.savez(tmp_path / "motion.npz", x=x)
    made = convert(
        source, output=tmp_path / "made", samples=tmp_path / "motion.npz", quantize="float32",
        options=Options(features=spec(text)),
    )  # fmt: skip
    samples = made.samples()
    wanted = np.maximum(FeatureRunner(spec(text)).run(samples.inputs[0]), 0)
    assert np.array_equal(samples.expected[0].reshape(wanted.shape), wanted)


DECISION = """
[decision]
enter = 0.5
hold = 2
refractory = 3
ignore = [1]
"""


@pytest.mark.parametrize("quantize", ["float32", "int8"])
def test_scores_become_events(quantize: str, source: Path, tmp_path: Path) -> None:
    made = convert(
        source, output=tmp_path / "made", representative=tmp_path / "raw.npz", quantize=quantize,
        options=Options(features=spec(SPEECH + DECISION)),
    )  # fmt: skip
    scores, event = made.manifest.outputs
    assert (event.name, event.shape, event.dtype) == ("event", [1, 2], "int32")
    given, events = made.samples().expected
    real = given.astype(np.float32) if not scores.scale else (given - float(scores.zero_point)) * scores.scale
    best = np.where(real.max(axis=1) >= 0.5, real.argmax(axis=1), -1)
    best[best == 1] = -1
    started = [t for t in range(1, len(best)) if best[t] >= 0 and best[t] == best[t - 1]]
    found = [t for t in range(len(best)) if events[t, 0] >= 0]
    assert found and set(found) <= set(started)
    assert all(events[t, 0] == best[t] for t in found)
    assert min(np.diff(found), default=9) > 3


def test_a_decision_on_a_class_that_is_not_there_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="class 7 of 3"):
        convert(
            source, output=tmp_path / "made", quantize="float32",
            options=Options(features=spec(SPEECH + DECISION.replace("[1]", "[7]"))),
        )  # fmt: skip


def test_samples_of_a_stream_are_held_out_without_a_gap(tmp_path: Path) -> None:
    text = '[input]\nshape = [2]\nstream = true\n[[steps]]\nkind = "window"\nlength = 4\nhop = 2\n'
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
    graph.op("RELU", [x], [y])
    graph.output(y)
    (tmp_path / "relu.tflite").write_bytes(model.build())
    np.savez(tmp_path / "ramp.npz", x=np.arange(200, dtype=np.float32).reshape(100, 2))
    made = convert(
        tmp_path / "relu.tflite", output=tmp_path / "made", representative=tmp_path / "ramp.npz",
        quantize="float32", options=Options(features=spec(text)),
    )  # fmt: skip
    samples = made.samples()
    assert np.array_equal(samples.inputs[0].ravel(), np.arange(160, 200))
    assert samples.expected[0].reshape(-1, 4)[1:].tolist() == [
        list(range(first, first + 4)) for first in range(160, 198, 2)
    ]


def test_trees_behind_features_compare_floats(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    ensemble = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(4)
    raw = rng.integers(-3000, 3000, (90, 16)).astype(np.int16)
    text = (
        '[input]\nshape = [16]\ntype = "int16"\n[[steps]]\nkind = "statistics"\nof = ["std", "max", "mean"]\n'
    )
    features = FeatureRunner(spec(text)).run(raw).reshape(90, 3)
    labels = (features[:, 1] > np.median(features[:, 1])).astype(int)
    forest = ensemble.RandomForestClassifier(5, max_depth=3, random_state=0).fit(features, labels)
    joblib.dump(forest, tmp_path / "forest.joblib")
    np.savez(tmp_path / "raw.npz", x=raw, y=labels)
    made = convert(
        tmp_path / "forest.joblib", output=tmp_path / "made", representative=tmp_path / "raw.npz",
        options=Options(features=spec(text), trust=True),
    )  # fmt: skip
    samples = made.samples()
    wanted = forest.predict_proba(FeatureRunner(spec(text)).run(samples.inputs[0]).reshape(-1, 3))
    assert np.abs(samples.expected[0] - wanted).max() < 1e-5


def test_accuracy_runs_a_stream_in_its_order(tmp_path: Path) -> None:
    """A class is told by the sample before: fresh state would get half of them wrong."""
    text = '[input]\nshape = [2]\nstream = true\n[[steps]]\nkind = "window"\nlength = 4\nhop = 2\n'
    text += '[[steps]]\nkind = "select"\ncolumns = [0, 1]\n'
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 2), "float32"), graph.tensor((1, 3), "float32")
    weights = graph.constant(np.array([[1, 0], [0, 1], [-1, -1]], np.float32))
    graph.op("FULLY_CONNECTED", [x, weights, None], [y])
    graph.output(y)
    (tmp_path / "scores.tflite").write_bytes(model.build())
    raw = np.random.default_rng(0).uniform(0, 1, (80, 2)).astype(np.float32)
    labels = np.concatenate([[0], raw.argmax(axis=1)[:-1]])
    np.savez(tmp_path / "raw.npz", x=raw, y=labels)
    made = convert(
        tmp_path / "scores.tflite", output=tmp_path / "made", representative=tmp_path / "raw.npz",
        quantize="float32", options=Options(features=spec(text)),
    )  # fmt: skip
    assert made.manifest.stream
    for piece in (100, 7):
        (score, *_) = run(made, tmp_path / "raw.npz", piece=piece).scores
        assert score.value >= 79 / 80
    with pytest.raises(UsageError, match="order"):
        run(made, tmp_path / "raw.npz", scheduler="tcp://localhost:1")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ignore = [0, 1, 2]", "all 3 classes"),
        ("leave = 0.9", "leave = 0.9 is above enter"),
        ("smoothing = 100000", "smoothing = 100000"),
    ],
)
def test_decisions_that_could_never_work_are_refused(
    line: str, said: str, source: Path, tmp_path: Path
) -> None:
    text = SPEECH + f"[decision]\nenter = 0.5\n{line}\n"
    with pytest.raises(DataError, match=said):
        convert(source, output=tmp_path / "made", quantize="float32", options=Options(features=spec(text)))


def test_a_level_above_all_scores_is_refused(source: Path, tmp_path: Path) -> None:
    options = Options(features=spec(SPEECH + "[decision]\nenter = 80.0\n"))
    with pytest.raises(DataError, match="no score of the model is above"):
        convert(source, output=tmp_path / "made", representative=tmp_path / "raw.npz", options=options)


def test_the_float_original_of_raw_integers_is_measured(source: Path, tmp_path: Path) -> None:
    """Without it a bench took the conversion's figures for those of this data."""
    made = convert(
        source, output=tmp_path / "made", representative=tmp_path / "raw.npz",
        options=Options(features=spec(SPEECH + DECISION)),
    )  # fmt: skip
    data = dataset.load(tmp_path / "raw.npz", made.manifest)  # of two outputs, the scores
    assert [score.metric for score in dataset.original_scores(made, data)][:1] == ["accuracy"]


UNLIKE = """
[input]
shape = [50, 2]
rate_hz = 50

[[steps]]
kind = "statistics"
of = ["mean", "std", "zero_crossings", "min"]
"""


@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_features_of_unlike_ranges_keep_their_digits(quantize: str, tmp_path: Path) -> None:
    """Means in g beside counts of zero crossings, which the model's own scaler had brought together."""
    r = np.random.default_rng(5)
    x = r.normal(size=(80, 50, 2)) * r.uniform(0.01, 0.05, (80, 1, 2)) + r.normal(size=(80, 1, 2)) * 0.02
    x = x.astype(np.float32)
    features = FeatureRunner(spec(UNLIKE)).run(x).reshape(80, -1)
    weights = (r.normal(size=(3, 8)) / features.std(axis=0)).astype(np.float32)
    bias = (-weights @ features.mean(axis=0)).astype(np.float32)
    model = ModelBuilder()
    graph = model.graph()
    given, y = graph.input((1, 8), "float32"), graph.tensor((1, 3), "float32")
    graph.op("FULLY_CONNECTED", [given, graph.constant(weights), graph.constant(bias)], [y])
    graph.output(y)
    (tmp_path / "m.tflite").write_bytes(model.build())
    np.savez(tmp_path / "raw.npz", x=x)
    made = convert(
        tmp_path / "m.tflite", output=tmp_path / "made", representative=tmp_path / "raw.npz",
        quantize=quantize, options=Options(features=spec(UNLIKE)),
    )  # fmt: skip
    samples = made.samples()
    wanted = FeatureRunner(spec(UNLIKE)).run(samples.inputs[0]).reshape(-1, 8) @ weights.T + bias
    (info,) = made.manifest.outputs
    scores = (samples.expected[0].astype(np.float64) - info.zero_point) * info.scale
    decibels = 10 * np.log10(np.square(wanted).sum() / np.square(wanted - scores).sum())
    assert decibels > {"int8": 30, "int16x8": 35}[quantize]  # weights have 8 bits in both
    assert any("features of unlike ranges" in note for note in made.manifest.notes)
