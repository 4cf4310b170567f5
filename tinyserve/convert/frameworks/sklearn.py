# SPDX-License-Identifier: Apache-2.0
"""Front end for scikit-learn pipelines kept with joblib or pickle: scalers, linear models, MLPs and trees.

Worker process only. Loading such a file runs code that is in it, so that it is done only when the user says
that the file is trusted. The pipeline becomes dense layers: a scaler is folded into the first of them. Trees
become an operator of their own: scalers before them are folded into its thresholds.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks import distances, forest, pickles, scalers, tensorflow, trees
from tinyserve.convert.tflite.signature import Signature
from tinyserve.convert.worker.loaded import Arrays, Loaded, Say
from tinyserve.convert.worker.messages import LoadModel
from tinyserve.errors import UnsupportedError
from tinyserve.words import counted

Array = npt.NDArray[Any]
_ACTIVATIONS = {"identity": "", "relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}
_LOGISTIC = ("LogisticRegression", "LogisticRegressionCV")
_EXPONENTIAL = ("PoissonRegressor", "GammaRegressor", "TweedieRegressor")
_LINEAR = "LinearRegression, Ridge, Lasso, ElasticNet, LogisticRegression, LinearSVC/SVR, SGD"

_INSTEAD = {
    "TransformedTargetRegressor": "save the model inside, joblib.dump(model.regressor_, 'model.joblib'), and "
    "apply model.transformer_.inverse_transform to what it answers in the program around it",
    "CalibratedClassifierCV": "save the classifier inside, which chooses among the same classes: "
    "joblib.dump(model.calibrated_classifiers_[0].estimator, 'model.joblib')",
    "GridSearchCV": "fit the search with refit=True, so that it keeps a model, and save that: "
    "joblib.dump(search.best_estimator_, 'model.joblib')",
}
"""What to save instead of a model around another."""


@dataclass(frozen=True)
class Dense:
    """y = activation(x @ weights + bias); activation '' is none."""

    weights: Array
    bias: Array
    activation: str


def load(request: LoadModel, say: Say) -> Loaded:
    """Loads the file and converts its layers. Raises ModelError, UnsupportedError or ToolError."""
    pipeline = pickles.load(request.source)
    estimator = pickles.steps_of(pipeline)[-1]
    if forest.is_known(estimator):
        return _load_trees(pipeline, str(request.source), say)
    tf = tensorflow.load()
    if distances.is_known(estimator):
        return _load_distances(tf, pipeline, str(request.source), say)
    scaling, layers, predict = _layers(pipeline, str(request.source))
    say("convert", 0, 0)

    def call(x: Any) -> Any:
        x = scaling.clamp(tf, x)
        for layer in layers:
            x = tf.matmul(x, tf.constant(layer.weights, tf.float32)) + tf.constant(layer.bias, tf.float32)
            x = getattr(tf.nn, layer.activation)(x) if layer.activation else x
        return x

    data = _traced(tf, call, len(layers[0].weights), "output_0")
    return _loaded(pipeline, data, _tools(tf), predict)


def _traced(tf: Any, call: Callable[[Any], Any], features: int, output: str) -> bytes:
    """The operators that ``call`` makes of float32 features (1, F), as .tflite."""
    spec = tf.TensorSpec((1, features), tf.float32, name="features")
    function = tensorflow.traced(tf, call, [spec])
    return tensorflow.to_tflite(tf, function, Signature(("features",), (output,)))


def _tools(tf: Any) -> dict[str, str]:
    return {"tensorflow": tf.__version__, "scikit-learn": importlib.metadata.version("scikit-learn")}


def _load_distances(tf: Any, pipeline: Any, where: str, say: Say) -> Loaded:
    """Models that measure distances, behind their scalers; nothing of them is ever quantized."""
    *scalers_before, estimator = pickles.steps_of(pipeline)
    if hasattr(estimator, "n_jobs"):
        estimator.n_jobs = 1  # no pool of threads per sample
    made = distances.of(pipeline, estimator, where)
    scaling = scalers.of(scalers_before, made.features, where)
    say("convert", 0, 0)

    def call(x: Any) -> Any:
        if scalers_before:
            x = scaling.call(tf, x)
        return made.call(tf, x)

    data = _traced(tf, call, len(scaling.scale), made.output)
    loaded = _loaded(pipeline, data, _tools(tf), made.predict)
    undecided = _undecided(made.undecided, scaling) if made.undecided else None
    notes = [*loaded.notes, *made.notes]
    return replace(loaded, float_only=distances.WHY, undecided=undecided, notes=notes)


def _undecided(ties: distances.Ties, scaling: scalers.Scaling) -> Callable[[Arrays], bool]:
    def undecided(sample: Arrays) -> bool:
        raw = sample[0].astype(np.float64).reshape(1, -1)
        return ties(scaling.apply(raw)[0], scaling.error(raw)[0])

    return undecided


def _load_trees(pipeline: Any, where: str, say: Say) -> Loaded:
    """Trees, with what stands before them. No TensorFlow: nothing but LiteRT's schema is needed."""
    *steps, estimator = pickles.steps_of(pipeline)
    if hasattr(estimator, "n_jobs"):
        estimator.n_jobs = 1  # sums in order, and no pool of threads per sample
    say("convert", 0, 0)
    count = _linear_steps(steps)
    linear = _linear(steps[:count], where)
    made = forest.of(estimator, steps[count:], where)
    name = "probabilities" if hasattr(estimator, "classes_") else "prediction"
    tools = {package: importlib.metadata.version(package) for package in ("scikit-learn", "emlearn")}
    if type(estimator).__name__ == forest.ISOLATION:
        return _isolation(pipeline, estimator, trees.write(made, linear, "anomaly_score"), tools)
    predict = _probabilities(pipeline, len(made.base)) if made.classifies else pipeline.predict
    return _loaded(pipeline, trees.write(made, linear, name), tools, predict)


def _isolation(pipeline: Any, estimator: Any, data: bytes, tools: dict[str, str]) -> Loaded:
    """The output is log2 of scikit-learn's score, which a sum of trees gives without an exponential."""
    loaded = _loaded(pipeline, data, tools, lambda x: np.log2(-pipeline.score_samples(x)))
    limit = float(np.log2(-estimator.offset_))
    note = f"anomaly_score is log2(-score_samples): scikit-learn calls samples above {limit:.4f} outliers"
    return replace(loaded, notes=[*loaded.notes, note])


def _linear_steps(steps: list[Any]) -> int:
    """How many steps, from the first on, become a dense layer: up to the last that mixes features."""
    mixing = [index for index, step in enumerate(steps) if type(step).__name__ not in forest.MONOTONE]
    return max(mixing, default=-1) + 1


def _linear(steps: list[Any], where: str) -> trees.Linear | None:
    if not steps:
        return None
    weights, bias = scalers.matrix(steps, where, "before trees")
    return trees.Linear(weights.T.astype(np.float32), bias.astype(np.float32))


def _probabilities(pipeline: Any, outputs: int) -> Callable[[Array], Any]:
    if outputs == 1:
        return lambda x: pipeline.predict_proba(x)[:, 1:]
    predict: Callable[[Array], Any] = pipeline.predict_proba
    return predict


def _loaded(pipeline: Any, data: bytes, tools: dict[str, str], predict: Callable[[Array], Any]) -> Loaded:
    def original(sample: Arrays) -> Arrays:
        return [np.asarray(predict(sample[0].astype(np.float64)), np.float32).reshape(1, -1)]

    labels = [str(name) for name in getattr(pipeline, "classes_", ())]
    notes = [f"classes in order: {', '.join(labels)}"] if labels else []
    return Loaded(data, "scikit-learn", tools, original, notes, labels=labels)


def _layers(pipeline: Any, where: str) -> tuple[scalers.Scaling, list[Dense], Callable[[Array], Any]]:
    """What clamps the raw features, dense layers from there to scores, and the pipeline's own function that
    gives the same."""
    steps = pickles.steps_of(pipeline)
    layers = _estimator_layers(steps[-1], where)
    first = layers[0]
    scaling = scalers.of(steps[:-1], len(first.weights), where)
    folded = Dense(*scaling.folded(first.weights, first.bias), first.activation)
    return scaling, [folded, *layers[1:]], _scores(pipeline, steps[-1], layers)


def _estimator_layers(estimator: Any, where: str) -> list[Dense]:
    name = type(estimator).__name__
    _check_link(estimator, where)
    if hasattr(estimator, "coefs_"):
        last = _ACTIVATIONS.get(estimator.out_activation_, estimator.out_activation_)
        hidden = _ACTIVATIONS[estimator.activation]
        pairs = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
        return [Dense(w, b, last if i == len(pairs) - 1 else hidden) for i, (w, b) in enumerate(pairs)]
    if hasattr(estimator, "coef_") and hasattr(estimator, "intercept_"):
        weights = np.atleast_2d(np.asarray(estimator.coef_, np.float64)).T
        bias = np.broadcast_to(np.ravel(estimator.intercept_), (weights.shape[1],))
        if _decides_between_two(estimator):
            weights, bias = np.concatenate([-weights, weights], axis=1), np.concatenate([-bias, bias])
        return [Dense(weights, bias, _linear_activation(estimator, weights.shape[1]))]
    raise UnsupportedError(
        f"{where}: {name} has no form as layers",
        _INSTEAD.get(name.replace("Halving", "").replace("RandomizedSearch", "GridSearch"))
        or f"{_LINEAR}, MLPs, {', '.join(distances.KINDS)} have one, and of trees: {', '.join(forest.KINDS)}",
    )


def _check_link(estimator: Any, where: str) -> None:
    """Refuses what linear models and MLPs do to their sums that layers here don't."""
    name, classes = type(estimator).__name__, len(getattr(estimator, "classes_", ()))
    if name in _EXPONENTIAL or getattr(estimator, "out_activation_", "") == "exp":
        raise UnsupportedError(
            f"{where}: {name} answers the exponential of its sum",
            "train it with squared error on the logarithm, and take the exponential yourself",
        )
    several = getattr(estimator, "multi_class", "auto")
    one_by_one = several == "ovr" or getattr(estimator, "solver", "") == "liblinear"
    if name in _LOGISTIC and ((classes > 2 and one_by_one) or (classes == 2 and several == "multinomial")):
        raise UnsupportedError(
            f"{where}: {name} of {counted(classes, 'class', 'classes')} with multi_class={several!r} and "
            f"solver={estimator.solver!r} has no form",
            "train it with solver='lbfgs' and without multi_class=",
        )


def _decides_between_two(estimator: Any) -> bool:
    """A score that is no probability: each class gets one, and the larger wins as of several classes."""
    has_score = hasattr(estimator, "decision_function") and type(estimator).__name__ not in _LOGISTIC
    return has_score and len(getattr(estimator, "classes_", ())) == 2


def _linear_activation(estimator: Any, outputs: int) -> str:
    """Logistic regression gives probabilities, other linear models their scores."""
    if type(estimator).__name__ not in _LOGISTIC:
        return ""
    return "sigmoid" if outputs == 1 else "softmax"


def _scores(pipeline: Any, estimator: Any, layers: list[Dense]) -> Callable[[Array], Any]:
    """What the layers give, by scikit-learn. Of two classes that is the second one's probability."""
    name = type(estimator).__name__
    if name in (*_LOGISTIC, "MLPClassifier"):
        single = layers[-1].weights.shape[1] == 1
        return lambda x: pipeline.predict_proba(x)[:, 1:] if single else pipeline.predict_proba(x)
    if _decides_between_two(estimator):
        return distances.class_scores(pipeline)
    if hasattr(estimator, "decision_function"):
        decide: Callable[[Array], Any] = pipeline.decision_function
        return decide
    predict: Callable[[Array], Any] = pipeline.predict
    return predict
