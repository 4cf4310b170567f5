# SPDX-License-Identifier: Apache-2.0
"""scikit-learn pipelines as dense layers: the same answers, and no code run unasked."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.decomposition import KernelPCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from tinyserve.bench.accuracy import run as accuracy
from tinyserve.bundle import Bundle
from tinyserve.convert import Options, convert
from tinyserve.convert.frameworks import distances
from tinyserve.errors import ModelError, UnsupportedError, UsageError

X, Y = load_iris(return_X_y=True)
TRUSTED = Options(trust=True)


@pytest.fixture
def iris(tmp_path: Path) -> Path:
    np.savez(tmp_path / "iris.npz", x=X.astype(np.float32), y=Y)
    return tmp_path / "iris.npz"


def converted(pipeline: Any, iris: Path, scheme: str = "float32") -> Bundle:
    path = iris.parent / "pipeline.joblib"
    joblib.dump(pipeline, path)
    output = iris.parent / "bundle"
    return convert(path, representative=iris, output=output, quantize=scheme, options=TRUSTED)


PIPELINES: dict[str, Any] = {
    "scaled MLP": make_pipeline(
        StandardScaler(), MLPClassifier((8,), solver="lbfgs", max_iter=30, random_state=0, tol=1)
    ),
    "binary MLP, two scalers": make_pipeline(
        MinMaxScaler(),
        MaxAbsScaler(),
        MLPClassifier((4,), activation="tanh", solver="lbfgs", max_iter=30, random_state=0, tol=1),
    ),
    "logistic regression": make_pipeline(StandardScaler(with_mean=False), LogisticRegression(max_iter=500)),
    "binary logistic regression": LogisticRegression(),
    "linear SVC": LinearSVC(),
    "binary linear SVC": LinearSVC(),
    "SVC": make_pipeline(StandardScaler(), SVC()),
    "binary SVC, polynomial": SVC(kernel="poly", degree=2),
    "naive Bayes": GaussianNB(),
    "ridge": Ridge(),
    "MLP regressor": MLPRegressor(
        hidden_layer_sizes=(4,), solver="lbfgs", max_iter=30, random_state=0, tol=1
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PIPELINES)
def test_layers_answer_as_the_pipeline_does(name: str, iris: Path) -> None:
    count = 100 if "binary" in name else 150
    made = converted(PIPELINES[name].fit(X[:count], Y[:count]), iris)
    assert made.manifest.source.framework == "scikit-learn"
    assert made.manifest.accuracy[0].max_error < 1e-3


@pytest.mark.usefixtures("cold_workers")
def test_an_int8_classifier_keeps_its_classes(iris: Path) -> None:
    made = converted(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y), iris, "int8")
    assert made.manifest.inputs[0].dtype == "int8"
    agreement = made.manifest.accuracy[0].top1_agreement
    assert agreement is not None and agreement >= 0.9
    assert "classes in order: 0, 1, 2" in made.manifest.notes
    assert made.manifest.labels == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (BernoulliNB(), "BernoulliNB has no form"),
        (make_pipeline(KernelPCA(2), LogisticRegression()), "KernelPCA has no form"),
    ],
)
def test_what_has_no_form_as_layers_is_named(pipeline: Any, message: str, iris: Path) -> None:
    with pytest.raises(UnsupportedError, match=message):
        converted(pipeline.fit(X, Y), iris)


@pytest.mark.slow
def test_distances_stay_in_float_and_say_so(iris: Path) -> None:
    made = converted(KNeighborsClassifier(3).fit(X, Y), iris, "int8")
    assert made.manifest.quantize == "float32"
    assert any(note.startswith("not int8: distances stay in float32") for note in made.manifest.notes)
    assert made.manifest.labels == ["0", "1", "2"]
    found = accuracy.run(made, iris)
    assert found.accuracy == pytest.approx(KNeighborsClassifier(3).fit(X, Y).score(X, Y), abs=0.02)


@pytest.mark.slow
def test_neighbours_give_the_mean_of_targets(iris: Path) -> None:
    targets = X[:, :1].ravel() * 3 + Y
    model = KNeighborsRegressor(4).fit(X[::2], targets[::2])
    made = converted(model, iris)
    (output,) = made.samples().expected
    held = made.samples().float_inputs
    assert held is not None
    close = np.isclose(output.ravel(), model.predict(held[0]), atol=1e-3)
    assert close.mean() > 0.8  # equal distances are taken in another order


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["float32", "int8"])
@pytest.mark.parametrize("kind", ["k-means", "isolation forest"])
def test_an_unusual_sample_has_the_larger_score(kind: str, scheme: str, iris: Path) -> None:
    rng = np.random.default_rng(0)
    usual, odd = rng.normal(0, 1, (200, 5)), rng.normal(0, 1, (40, 5)) + 5
    model = (
        KMeans(3, n_init=2, random_state=0)
        if kind == "k-means"
        else IsolationForest(n_estimators=20, max_features=0.8, random_state=0)
    )
    np.savez(iris, x=np.concatenate([usual, odd]).astype(np.float32), y=np.arange(240) >= 200)
    made = converted(model.fit(usual), iris, scheme)
    assert made.manifest.outputs[0].name == "anomaly_score"
    assert made.manifest.scores is not None
    assert made.manifest.scores.converted[0].metric == "AUC"
    assert made.manifest.scores.converted[0].value > 0.98
    if scheme == "float32":
        assert made.manifest.accuracy[0].max_error < 1e-3


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SVC(kernel=lambda a, b: a @ b.T), "kernel=.* has no form"),
        (KNeighborsClassifier(weights="distance"), "weights='distance' has no form"),
        (KNeighborsClassifier(metric="cosine"), "metric='cosine' has no form"),
        (KNeighborsRegressor(p=1), "has no form"),
    ],
)
def test_distances_that_have_no_form_are_named(model: Any, message: str) -> None:
    fitted = model.fit(X, Y)
    with pytest.raises(UnsupportedError, match=message) as caught:
        distances.of(fitted, fitted, "m.joblib")
    assert caught.value.hint


def test_support_vectors_beyond_the_limit_are_refused_with_their_size() -> None:
    rng = np.random.default_rng(0)
    fitted = SVC().fit(rng.normal(size=(1200, 64)), rng.integers(0, 2, 1200))
    with pytest.raises(UnsupportedError, match=r"support vectors of 64 features.*bytes in flash") as caught:
        distances.of(fitted, fitted, "m.joblib")
    assert "LinearSVC" in caught.value.hint


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".joblib", ".pkl"])
def test_a_pickle_is_not_loaded_unless_it_is_trusted(tmp_path: Path, suffix: str) -> None:
    path, trace = tmp_path / f"model{suffix}", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(UsageError, match="runs whatever code") as caught:
        convert(path, representative="random", output=tmp_path / "b")
    assert "--trust" in caught.value.hint
    assert not trace.exists()


@pytest.mark.slow
def test_a_damaged_pickle(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(b"\x80\x04half")
    with pytest.raises(ModelError, match=r"m\.joblib: cannot be loaded"):
        convert(tmp_path / "m.joblib", representative="random", output=tmp_path / "b", options=TRUSTED)
