# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's models that measure distances, as float32 operators: support vector machines, nearest
neighbours, naive Bayes and k-means. Worker process only.

They stay in float32 whatever is asked for: eight bits over the range of all distances blur those that decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.errors import UnsupportedError
from tinyserve.words import counted

Array = npt.NDArray[Any]
KINDS = (
    "SVC",
    "NuSVC",
    "SVR",
    "NuSVR",
    "KNeighborsClassifier",
    "KNeighborsRegressor",
    "GaussianNB",
    "KMeans",
    "MiniBatchKMeans",
)
WHY = "distances stay in float32: 8 bits over their whole range blur those that decide"
MOST_VALUES = 1 << 16
"""Of training samples or support vectors: 256 KiB of flash."""
Ties = Callable[[Array, Array], bool]


@dataclass(frozen=True)
class Distances:
    """``call(tf, x)`` makes operators of float32 features (1, F); ``predict(x)`` gives the same by
    scikit-learn. ``undecided(x, error)`` says of scaled features [F], which float32 has but for ``error``
    [F], whether ties leave several answers right; None where there are none."""

    features: int
    output: str
    call: Callable[[Any, Any], Any]
    predict: Callable[[Array], Any]
    undecided: Ties | None = None
    notes: tuple[str, ...] = ()


def is_known(estimator: Any) -> bool:
    """Whether ``of`` takes it."""
    return type(estimator).__name__ in KINDS


def of(pipeline: Any, estimator: Any, where: str) -> Distances:
    """The operators of a fitted estimator, and the whole pipeline's answers. Features come scaled.

    Raises UnsupportedError for kernels, metrics and sizes that have no form.
    """
    name = type(estimator).__name__
    if name.endswith("SVC"):
        return _support_vectors(pipeline, estimator, where)
    if name.endswith("SVR"):
        return _support_regression(pipeline, estimator, where)
    if name.startswith("KNeighbors"):
        return _neighbours(pipeline, estimator, where)
    if name == "GaussianNB":
        return _naive_bayes(pipeline, estimator)
    return _clusters(pipeline, estimator)


def _check_size(vectors: Array, what: str, where: str, hint: str) -> None:
    if vectors.size > MOST_VALUES:
        raise UnsupportedError(
            f"{where}: it keeps {len(vectors):,} {what} of {counted(vectors.shape[1], 'feature')}, "
            f"{vectors.size * 4:,} bytes in flash; up to {MOST_VALUES * 4:,} are converted",
            hint,
        )


# --- support vector machines


def _support_vectors(pipeline: Any, svc: Any, where: str) -> Distances:
    vectors = _vectors(svc, "LinearSVC", where)
    kernel = _kernel(svc, vectors, where)
    classes = len(svc.classes_)
    if classes > 2 and svc.decision_function_shape != "ovr":
        raise UnsupportedError(
            f"{where}: {type(svc).__name__} with decision_function_shape={svc.decision_function_shape!r} "
            "has a score per pair of classes",
            "call set_params(decision_function_shape='ovr') and save it again: it need not be fitted again",
        )
    weights, bias = _pairs(svc)

    def call(tf: Any, x: Any) -> Any:
        decisions = tf.matmul(kernel(tf, x), _constant(tf, weights)) + _constant(tf, bias)
        return decisions if classes == 2 else _ranked(tf, decisions, classes)

    return Distances(vectors.shape[1], "scores", call, class_scores(pipeline), notes=_about_scores(svc))


def _support_regression(pipeline: Any, svr: Any, where: str) -> Distances:
    vectors = _vectors(svr, "LinearSVR", where)
    kernel = _kernel(svr, vectors, where)
    weights, bias = np.asarray(svr.dual_coef_, np.float64).T, np.asarray(svr.intercept_, np.float64)

    def call(tf: Any, x: Any) -> Any:
        return tf.matmul(kernel(tf, x), _constant(tf, weights)) + _constant(tf, bias)

    return Distances(vectors.shape[1], "prediction", call, pipeline.predict)


def _vectors(machine: Any, linear: str, where: str) -> Array:
    """The support vectors, which must not be too many."""
    vectors = np.asarray(machine.support_vectors_, np.float64)
    hint = f"train it with a smaller C or fewer samples, or train a {linear}"
    _check_size(vectors, "support vectors", where, hint)
    return vectors


def _about_scores(svc: Any) -> tuple[str, ...]:
    """Where the scores are not what the settings promise."""
    notes = []
    if svc.probability is True:
        notes.append("gives the scores of decision_function, not the probabilities of probability=True")
    if len(svc.classes_) > 2 and not svc.break_ties:
        notes.append(
            "of classes with the same number of votes the larger score wins, as with break_ties=True: "
            "predict() takes the first"
        )
    return tuple(notes)


def class_scores(pipeline: Any) -> Callable[[Array], Any]:
    """A score for each class by scikit-learn's decision function; of two classes -d and d."""

    def scores(x: Array) -> Array:
        found = np.asarray(pipeline.decision_function(x))
        return np.stack([-found, found], axis=1) if found.ndim == 1 else found

    return scores


def _pairs(svc: Any) -> tuple[Array, Array]:
    """Weights [vectors][pairs] and bias of a decision per pair of classes (positive: the first of them), as
    libsvm lays its coefficients out; of two classes a score for each."""
    coefficients, bias = np.asarray(svc.dual_coef_), np.asarray(svc.intercept_)
    if len(svc.classes_) == 2:
        return np.stack([-coefficients[0], coefficients[0]], axis=1), np.array([-bias[0], bias[0]])
    ends = np.concatenate([[0], np.cumsum(svc.n_support_)])
    columns = []
    for first, second in _pair_places(len(svc.classes_)):
        column = np.zeros(coefficients.shape[1])
        for own, other in ((first, second), (second, first)):
            place = slice(ends[own], ends[own + 1])
            column[place] = coefficients[other - 1 if other > own else other, place]
        columns.append(column)
    return np.stack(columns, axis=1), bias


def _pair_places(classes: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(classes) for j in range(i + 1, classes)]


def _ranked(tf: Any, decisions: Any, classes: int) -> Any:
    """Votes of the pairs, and by less than half a vote their confidence, as scikit-learn ranks classes."""
    signs = np.zeros((len(_pair_places(classes)), classes))
    for place, (first, second) in enumerate(_pair_places(classes)):
        signs[place, first], signs[place, second] = 1, -1
    matrix = _constant(tf, signs)
    votes = tf.matmul(tf.sign(decisions), matrix) * 0.5 + (classes - 1) / 2
    confidence = tf.matmul(decisions, matrix)
    return votes + confidence / (3 * (tf.abs(confidence) + 1))


def _kernel(svc: Any, vectors: Array, where: str) -> Callable[[Any, Any], Any]:
    gamma, shift = float(getattr(svc, "_gamma", 0.0)), float(svc.coef0)
    products = vectors.T

    def scaled(tf: Any, x: Any) -> Any:
        return tf.matmul(x, _constant(tf, gamma * products)) + shift

    def power(tf: Any, x: Any) -> Any:
        base = made = scaled(tf, x)
        for _ in range(int(svc.degree) - 1):
            made = made * base
        return made

    def gaussian(tf: Any, x: Any) -> Any:
        return tf.exp(-gamma * _squared(tf, x, vectors))

    kernels: dict[str, Callable[[Any, Any], Any]] = {
        "linear": lambda tf, x: tf.matmul(x, _constant(tf, products)),
        "poly": power,
        "rbf": gaussian,
        "sigmoid": lambda tf, x: tf.tanh(scaled(tf, x)),
    }
    if svc.kernel not in kernels:
        raise UnsupportedError(
            f"{where}: {type(svc).__name__} with kernel={svc.kernel!r} has no form",
            f"use one of: {', '.join(kernels)}",
        )
    return kernels[svc.kernel]


def _squared(tf: Any, x: Any, vectors: Array) -> Any:
    """Squared distances (1, N) from a sample to vectors, both moved to the vectors' mean: products then lose
    fewer digits than those of raw features."""
    middle = vectors.mean(axis=0)
    moved = vectors - middle
    near = x - _constant(tf, middle[None])
    own = tf.reduce_sum(near * near, axis=1, keepdims=True)
    products = tf.matmul(near, _constant(tf, -2 * moved.T)) + _constant(tf, (moved**2).sum(axis=1)[None])
    return tf.nn.relu(products + own)


# --- nearest neighbours


def _neighbours(pipeline: Any, model: Any, where: str) -> Distances:
    name = type(model).__name__
    if model.weights != "uniform":
        raise UnsupportedError(
            f"{where}: {name} with weights={model.weights!r} has no form", "train it with 'uniform'"
        )
    euclidean = model.effective_metric_ == "euclidean" or (
        model.effective_metric_ == "minkowski" and (model.effective_metric_params_ or {}).get("p", 2) == 2
    )
    if not euclidean or not isinstance(model._fit_X, np.ndarray):
        raise UnsupportedError(
            f"{where}: {name} with metric={model.effective_metric_!r} has no form", "train it with euclidean"
        )
    samples = np.asarray(model._fit_X, np.float64)
    _check_size(samples, "samples", where, "train it with fewer samples, or train a forest")
    answers = _answers(model, where)
    count = int(model.n_neighbors)

    def call(tf: Any, x: Any) -> Any:
        _, nearest = tf.math.top_k(-_squared(tf, x, samples), count)
        found = tf.gather(_constant(tf, answers), tf.reshape(nearest, (count,)))
        return tf.reduce_mean(found, axis=0, keepdims=True)

    output = "probabilities" if hasattr(model, "classes_") else "prediction"
    predict: Callable[[Array], Any] = getattr(pipeline, "predict_proba", pipeline.predict)
    return Distances(samples.shape[1], output, call, predict, _ties(samples, answers, count))


def _ties(samples: Array, answers: Array, count: int) -> Ties:
    """Whether neighbours that answer differently are as far as the last of ``count``, within what float32
    rounds: scikit-learn's search then takes them in an order of its own."""
    rounding = float(np.finfo(np.float32).eps)
    middle = samples.mean(axis=0)
    reach = float(np.linalg.norm(samples - middle, axis=1).max())

    def undecided(x: Array, error: Array) -> bool:
        away = np.linalg.norm(samples - x, axis=1)
        products = rounding * (len(x) / 2 + 2) * (float(np.linalg.norm(x - middle)) + reach) ** 2
        moved = float(np.linalg.norm(error + rounding * (np.abs(x) + np.abs(middle))))
        doubt = products + 2 * away * moved + moved**2
        nearest, farthest = away**2 - doubt, away**2 + doubt
        possible = nearest <= np.partition(farthest, count - 1)[count - 1]
        if possible.sum() == count:
            return False
        contested = possible & (farthest >= np.partition(nearest, count)[count])
        return bool(np.ptp(answers[contested], axis=0).any())

    return undecided


def _answers(model: Any, where: str) -> Array:
    """What each training sample says: its class as one-hot row, or its target."""
    known = np.asarray(model._y)
    if not hasattr(model, "classes_"):
        return known.reshape(len(known), -1).astype(np.float64)
    if known.ndim > 1 and known.shape[1] > 1:
        raise UnsupportedError(
            f"{where}: {type(model).__name__} answers several questions", "train one classifier per output"
        )
    rows: Array = np.eye(len(model.classes_))[known.reshape(-1)]
    return rows


# --- naive Bayes and k-means


def _naive_bayes(pipeline: Any, model: Any) -> Distances:
    means, deviations = np.asarray(model.theta_), np.sqrt(np.asarray(model.var_))
    constant = np.log(model.class_prior_) - np.log(np.sqrt(2 * np.pi) * deviations).sum(axis=1)

    def call(tf: Any, x: Any) -> Any:
        away = (x - _constant(tf, means)) * _constant(tf, 1 / deviations)
        likelihood = _constant(tf, constant) - 0.5 * tf.reduce_sum(away * away, axis=1)
        return tf.nn.softmax(tf.reshape(likelihood, (1, len(means))))

    predict: Callable[[Array], Any] = pipeline.predict_proba
    return Distances(means.shape[1], "probabilities", call, predict)


def _clusters(pipeline: Any, model: Any) -> Distances:
    """The distance to the nearest centre: how unusual a sample is."""
    centres = np.asarray(model.cluster_centers_, np.float64)

    def call(tf: Any, x: Any) -> Any:
        away = x - _constant(tf, centres)
        squared = tf.reshape(tf.reduce_sum(away * away, axis=1), (1, len(centres)))
        return tf.sqrt(tf.reduce_min(squared, axis=1, keepdims=True))

    return Distances(centres.shape[1], "anomaly_score", call, lambda x: pipeline.transform(x).min(axis=1))


def _constant(tf: Any, values: Array) -> Any:
    return tf.constant(values, tf.float32)
