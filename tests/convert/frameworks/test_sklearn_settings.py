# SPDX-License-Identifier: Apache-2.0
"""Settings of scikit-learn's estimators: each one counts, is noted, or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, FastICA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from tinyserve.convert import Options, convert
from tinyserve.convert.frameworks import distances, pickles, scalers, sklearn
from tinyserve.errors import ModelError, UnsupportedError

X, Y = load_iris(return_X_y=True)
FAR = np.random.default_rng(0).uniform(-20, 30, (40, 4))
"""Samples well beyond the range of the training data."""
QUICK = {"solver": "lbfgs", "max_iter": 20, "tol": 1.0, "random_state": 0}


def by_layers(pipeline: Any, x: Any) -> Any:
    """What the front end's layers give, in float64."""
    scaling, layers, _ = sklearn._layers(pipeline, "m.joblib")
    x = x if scaling.limits is None else np.clip(x, *scaling.limits)
    for layer in layers:
        x = x @ layer.weights + layer.bias
        if layer.activation == "softmax":
            x = np.exp(x - x.max(axis=1, keepdims=True))
            x /= x.sum(axis=1, keepdims=True)
        elif layer.activation:
            x = np.maximum(x, 0) if layer.activation == "relu" else 1 / (1 + np.exp(-x))
    return x


SCALERS: list[list[Any]] = [
    [MinMaxScaler(clip=True)],
    [MinMaxScaler((-3, -1), clip=True), StandardScaler()],
    [StandardScaler(with_mean=False), MinMaxScaler((2, 5), clip=True), MaxAbsScaler()],
    [MinMaxScaler(clip=True), StandardScaler(with_std=False), MinMaxScaler((-1, 1), clip=True)],
    [StandardScaler(with_mean=False, with_std=False)],
    [MinMaxScaler()],
]
if "clip" in MaxAbsScaler().get_params():
    SCALERS.append([StandardScaler(), MaxAbsScaler(clip=True)])


@pytest.mark.parametrize("steps", SCALERS, ids=str)
def test_scalers_scale_and_clip_beyond_the_training_range(steps: list[Any]) -> None:
    scaler = make_pipeline(*steps).fit(X)
    np.testing.assert_allclose(scalers.of(steps, 4, "m").apply(FAR), scaler.transform(FAR), atol=1e-9)


def _columns(rest: str = "drop") -> ColumnTransformer:
    return ColumnTransformer([("a", StandardScaler(), [2, 0]), ("b", PCA(1), [1, 3])], remainder=rest)


LINEAR: list[list[Any]] = [
    [RobustScaler()],
    [RobustScaler(with_scaling=False), MinMaxScaler()],
    [MinMaxScaler(clip=True), PCA(3, whiten=True), StandardScaler()],
    [StandardScaler(), TruncatedSVD(2)],
    [SelectKBest(k=2), RobustScaler(with_centering=False)],
    [VarianceThreshold(0.3), LinearDiscriminantAnalysis()],
    [_columns()],
    [_columns("passthrough")],
    [ColumnTransformer([("a", "passthrough", [3]), ("b", make_pipeline(MaxAbsScaler(), PCA(1)), [0, 1])])],
    [FeatureUnion([("a", StandardScaler()), ("b", FastICA(2, random_state=0, whiten="unit-variance"))])],
]


@pytest.mark.parametrize("steps", LINEAR, ids=str)
def test_linear_steps_are_one_matrix_behind_the_scalers(steps: list[Any]) -> None:
    whole = make_pipeline(*steps).fit(X, Y)
    scaling = scalers.of(steps, whole.transform(X).shape[1], "m")
    np.testing.assert_allclose(scaling.apply(FAR), whole.transform(FAR), atol=1e-9)
    model = make_pipeline(*steps, Ridge()).fit(X, Y)
    np.testing.assert_allclose(by_layers(model, FAR).ravel(), model.predict(FAR), atol=1e-9)


@pytest.mark.parametrize("steps", LINEAR[2:], ids=str)
def test_linear_steps_stand_before_trees(steps: list[Any]) -> None:
    if getattr(steps[0], "clip", False):
        steps = [MinMaxScaler(), *steps[1:]]
    whole = make_pipeline(*steps, DecisionTreeClassifier()).fit(X, Y)
    linear = sklearn._linear(steps, "m")
    assert linear is not None
    np.testing.assert_allclose(FAR @ linear.weights.T + linear.bias, whole[:-1].transform(FAR), atol=1e-4)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([PolynomialFeatures(2)], "the step PolynomialFeatures has no form as layers"),
        ([ColumnTransformer([("a", PolynomialFeatures(2), [0])])], "the step PolynomialFeatures"),
        ([PCA(2), MinMaxScaler(clip=True)], r"MinMaxScaler\(clip=True\) behind PCA"),
        ([ColumnTransformer([("a", MinMaxScaler(clip=True), [0])])], r"clip=True\) in ColumnTransformer"),
        ([FunctionTransformer(np.log1p)], "the step FunctionTransformer"),
    ],
    ids=str,
)
def test_other_steps_are_named(steps: list[Any], message: str) -> None:
    whole = make_pipeline(*steps).fit(X, Y)
    with pytest.raises(UnsupportedError, match=message) as caught:
        scalers.of(steps, whole.transform(X).shape[1], "m")
    assert caught.value.hint


@pytest.mark.parametrize("model", [LogisticRegression(max_iter=1000), DecisionTreeClassifier(random_state=0)])
def test_pipelines_inside_are_their_steps(model: Any) -> None:
    """Scalers keep their clip before layers, and stay thresholds of trees."""
    inner = Pipeline([("s", MinMaxScaler(clip=True)), ("none", "passthrough")])
    pipeline = Pipeline([("prepare", Pipeline([("inner", inner)])), ("model", model)]).fit(X, Y)
    steps = pickles.steps_of(pipeline)
    assert [type(step) for step in steps] == [MinMaxScaler, type(model)]
    if isinstance(model, LogisticRegression):
        np.testing.assert_allclose(by_layers(pipeline, FAR), pipeline.predict_proba(FAR), atol=1e-9)
    else:
        assert sklearn._linear_steps(steps[:-1]) == 0


@pytest.mark.parametrize("columns", [["length", "width"], "length", slice("length", "width"), slice("width")])
def test_columns_by_name_are_refused_with_the_way_to_fit_it(columns: Any) -> None:
    step = _columns().fit(X, Y)
    step.transformers_ = [(name, one, columns) for name, one, _ in step.transformers_]
    with pytest.raises(UnsupportedError, match="picks its columns by name") as caught:
        scalers.of([step], 3, "m")
    assert "to_numpy()" in caught.value.hint


SEARCHES: dict[str, Any] = {
    "of a pipeline": GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1]}, cv=2),
    "of a model": make_pipeline(StandardScaler(), GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=2)),
    "of pipelines in one": make_pipeline(
        MinMaxScaler(),
        RandomizedSearchCV(make_pipeline(PCA(2), Ridge()), {"ridge__alpha": [0.1, 1]}, n_iter=1, cv=2),
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_the_model_that_it_found(name: str) -> None:
    model = SEARCHES[name].fit(X, Y)
    np.testing.assert_allclose(by_layers(model, FAR).ravel(), model.predict(FAR), atol=1e-9)


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        (TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1), "model.regressor_"),
        (
            CalibratedClassifierCV(LogisticRegression(max_iter=500), cv=2),
            "calibrated_classifiers_[0].estimator",
        ),
        (GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=2, refit=False), "refit=True"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_models_around_others_say_what_to_save(model: Any, hint: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{type(model).__name__} has no form") as caught:
        sklearn._layers(model.fit(X, Y), "m")
    assert hint in caught.value.hint


ESTIMATORS: dict[str, Any] = {
    "regression": LinearRegression(fit_intercept=False),
    "logistic": LogisticRegression(max_iter=50),
    "logistic by cross-validation": LogisticRegressionCV(Cs=2, cv=2, max_iter=50),
    "SGD with probabilities": SGDClassifier(loss="log_loss", random_state=0),
    "MLP": MLPClassifier((3,), **QUICK),
    "MLP regressor": MLPRegressor(hidden_layer_sizes=(3,), activation="logistic", **QUICK),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_layers_answer_as_scikit_learn_beyond_the_training_range(name: str, classes: int) -> None:
    pipeline = make_pipeline(MinMaxScaler(clip=True), ESTIMATORS[name]).fit(
        X[: 50 * classes], Y[: 50 * classes]
    )
    _, _, predict = sklearn._layers(pipeline, "m.joblib")
    got = by_layers(pipeline, FAR)
    np.testing.assert_allclose(got, np.asarray(predict(FAR)).reshape(got.shape), atol=1e-9)


def test_an_mlp_of_two_labels_gives_both() -> None:
    labels = np.stack([Y > 0, X[:, 0] > 6], axis=1).astype(int)
    model = MLPClassifier((3,), **QUICK).fit(X, labels)
    np.testing.assert_allclose(by_layers(model, X), model.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (PoissonRegressor(), "PoissonRegressor answers the exponential"),
        (make_pipeline(MinMaxScaler(clip=True), PCA(2), DecisionTreeClassifier()), r"clip=True\) before PCA"),
        (SVC(decision_function_shape="ovo"), "'ovo' has a score per pair"),
    ],
)
def test_settings_that_have_no_form_are_refused_with_a_way(model: Any, message: str) -> None:
    fitted = model.fit(X, Y)
    steps = pickles.steps_of(fitted)
    with pytest.raises(UnsupportedError, match=message) as caught:
        if isinstance(steps[-1], DecisionTreeClassifier):
            sklearn._linear(steps[:-1], "m")
        elif distances.is_known(steps[-1]):
            distances.of(fitted, steps[-1], "m")
        else:
            sklearn._layers(fitted, "m")
    assert caught.value.hint


def test_one_class_against_the_rest_is_no_softmax() -> None:
    model = LogisticRegression(max_iter=50).fit(X, Y)
    model.multi_class = "ovr"  # as older releases of scikit-learn keep it
    with pytest.raises(UnsupportedError, match="multi_class='ovr'"):
        sklearn._layers(model, "m")


def test_an_svc_says_what_its_scores_are() -> None:
    model = SVC().fit(X, Y)
    assert any("break_ties" in note for note in distances.of(model, model, "m").notes)
    model = SVC(break_ties=True).fit(X, Y)
    assert not distances.of(model, model, "m").notes
    model.probability = True
    assert any("not the probabilities" in note for note in distances.of(model, model, "m").notes)
    two = SVC(decision_function_shape="ovo").fit(X[:100], Y[:100])
    np.testing.assert_allclose(distances.of(two, two, "m").predict(X)[:, 1], two.decision_function(X))


def test_ties_are_those_that_the_order_of_training_samples_decides() -> None:
    samples, targets = np.array([[0.0], [2.0], [4.0], [4.0]]), np.array([1.0, 2.0, 3.0, 3.0])
    model = KNeighborsRegressor(1).fit(samples, targets)
    undecided = distances.of(model, model, "m").undecided
    assert undecided is not None
    none = np.zeros(1)
    assert undecided(np.array([1.0]), none)  # 0 and 2 are equally far
    assert not undecided(np.array([1.01]), none)
    assert undecided(np.array([1.01]), np.array([0.02]))  # float32 may see it on either side
    assert not undecided(np.array([5.0]), none)  # both neighbours say the same
    model = KNeighborsRegressor(4).fit(samples, targets)
    everyone = distances.of(model, model, "m").undecided
    assert everyone is not None
    assert not everyone(np.array([1.0]), none)


@pytest.mark.parametrize(
    ("kept", "message", "hint"),
    [
        (LinearRegression(), "LinearRegression is not fitted", "fit"),
        (make_pipeline(StandardScaler(), SVC()), "StandardScaler is not fitted", "fit"),
        (Pipeline([("s", StandardScaler().fit(X)), ("m", SVC())]), "SVC is not fitted", "fit"),
        ({"model": LinearRegression()}, "a dict, not an estimator", "itself"),
        (np.zeros(3), "a ndarray, not an estimator", "itself"),
        (LinearRegression, "the class LinearRegression, not an estimator", "itself"),
        (
            Pipeline([("s", StandardScaler().fit(X)), ("m", "passthrough")]),
            "no model as its last step",
            "ends",
        ),
    ],
)
def test_a_file_without_a_fitted_model(kept: Any, message: str, hint: str, tmp_path: Path) -> None:
    joblib.dump(kept, tmp_path / "m.joblib")
    with pytest.raises(ModelError, match=message) as caught:
        pickles.load(tmp_path / "m.joblib")
    assert hint in caught.value.hint


def test_an_estimator_of_another_kind_is_loaded_and_named(tmp_path: Path) -> None:
    joblib.dump(BaseEstimator(), tmp_path / "m.joblib")
    with pytest.raises(UnsupportedError, match="BaseEstimator has no form"):
        sklearn._layers(pickles.load(tmp_path / "m.joblib"), "m")


def converted(pipeline: Any, seen: Any, held: Any, directory: Path, scheme: str = "float32") -> Any:
    joblib.dump(pipeline, directory / "m.joblib")
    for name, values in (("seen", seen), ("held", held)):
        np.savez(directory / f"{name}.npz", x=values.astype(np.float32))
    return convert(
        directory / "m.joblib", representative=directory / "seen.npz", samples=directory / "held.npz",
        output=directory / "bundle", quantize=scheme, options=Options(trust=True),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), PCA(2), SVC()),
        make_pipeline(RobustScaler(), SVR(C=1e3)),
        make_pipeline(_columns("passthrough"), LogisticRegression(max_iter=500)),
    ],
    ids=str,
)
def test_pipelines_answer_as_scikit_learn(model: Any, tmp_path: Path) -> None:
    """Raw features of unlike ranges, through steps that mix them."""
    samples = X * np.array([1, 100, 1e4, 0.01])
    joblib.dump(model.fit(samples, Y), tmp_path / "m.joblib")
    np.savez(tmp_path / "d.npz", x=samples.astype(np.float32))
    made = convert(
        tmp_path / "m.joblib",
        representative=tmp_path / "d.npz",
        output=tmp_path / "b",
        options=Options(trust=True),
    )
    assert [tuple(one.shape) for one in made.manifest.inputs] == [(1, 4)]
    assert all(one.sqnr_db is not None and one.sqnr_db > 25 for one in made.manifest.accuracy)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "factors"), [("float32", 1.0), ("int8", 1.0), ("int8", (1, 1000, 0.01, 1))], ids=str
)
def test_a_clip_is_converted_with_the_model(scheme: str, factors: Any, tmp_path: Path) -> None:
    samples = np.random.default_rng(1).uniform(0, 1, (200, 4))
    samples[:2] = [[0], [1]]  # limits of exactly 0 and 1, for which LiteRT has an activation
    samples = samples * factors
    targets = samples / factors @ [1, 2, 3, -1]
    pipeline = make_pipeline(MinMaxScaler(clip=True), LinearRegression()).fit(samples, targets)
    seen, held = (np.random.default_rng(i).uniform(-2, 3, (100, 4)) * factors for i in (2, 3))
    made = converted(pipeline, seen, held, tmp_path, scheme)
    assert made.manifest.accuracy[0].max_error < (1e-4 if scheme == "float32" else 0.15)


@pytest.mark.slow
def test_neighbours_are_compared_with_the_pipeline_and_ties_are_noted(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    samples, classes = rng.integers(0, 5, (80, 2)).astype(float), rng.integers(0, 3, 80)
    model = make_pipeline(MinMaxScaler(clip=True), KNeighborsClassifier(4)).fit(samples, classes)
    made = converted(model, samples, rng.integers(0, 10, (40, 2)) / 2, tmp_path)
    held = made.samples().float_inputs
    assert held is not None
    wanted = model.predict_proba(held[0].reshape(-1, 2).astype(float))
    unlike = np.abs(made.samples().expected[0].reshape(wanted.shape) - wanted).max()
    assert unlike > 0.2
    assert made.manifest.accuracy[0].max_error >= unlike - 1e-6
    assert [note for note in made.manifest.notes if "equally far" in note]


@pytest.mark.slow
def test_neighbours_without_ties_are_equal_beyond_the_training_range(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).normal(0, 1, (100, 4))
    model = make_pipeline(MinMaxScaler(clip=True), KNeighborsRegressor(3)).fit(samples, samples[:, 0])
    made = converted(model, samples, np.random.default_rng(2).normal(0, 3, (40, 4)), tmp_path)
    assert made.manifest.accuracy[0].max_error < 1e-5
    assert not [note for note in made.manifest.notes if "equally far" in note]
