"""Front end for scikit-learn pipelines kept with joblib or pickle: scalers, linear models and MLPs.

Worker process only. Loading such a file runs code that is in it, so that it is done only when the user says
that the file is trusted. The pipeline becomes dense layers: a scaler is folded into the first of them.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert import tensorflow
from tinyserve.convert.messages import LoadModel
from tinyserve.convert.worker import Arrays, Loaded, Say
from tinyserve.errors import ModelError, ToolError, UnsupportedError

Array = npt.NDArray[Any]
_ACTIVATIONS = {"identity": "", "relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}
_LINEAR = "LinearRegression, Ridge, Lasso, ElasticNet, LogisticRegression, LinearSVC/SVR, SGD"


@dataclass(frozen=True)
class Dense:
    """y = activation(x @ weights + bias); activation '' is none."""

    weights: Array
    bias: Array
    activation: str


def load(request: LoadModel, say: Say) -> Loaded:
    """Loads the file and converts its layers. Raises ModelError, UnsupportedError or ToolError."""
    tf = tensorflow.load()
    pipeline = _load_file(request.source)
    layers, predict = _layers(pipeline, str(request.source))
    say("convert", 0, 0)

    def call(x: Any) -> Any:
        for layer in layers:
            x = tf.matmul(x, tf.constant(layer.weights, tf.float32)) + tf.constant(layer.bias, tf.float32)
            x = getattr(tf.nn, layer.activation)(x) if layer.activation else x
        return x

    spec = tf.TensorSpec((1, len(layers[0].weights)), tf.float32, name="features")
    function = tf.function(call).get_concrete_function(spec)

    def original(sample: Arrays) -> Arrays:
        return [np.asarray(predict(sample[0].astype(np.float64)), np.float32).reshape(1, -1)]

    classes = getattr(pipeline, "classes_", None)
    notes = [] if classes is None else [f"classes in order: {', '.join(map(str, classes))}"]
    tools = {"tensorflow": tf.__version__, "scikit-learn": importlib.metadata.version("scikit-learn")}
    return Loaded(tensorflow.to_tflite(tf, function, None), "scikit-learn", tools, original, notes)


def _load_file(path: Path) -> Any:
    try:
        joblib = importlib.import_module("joblib")
        importlib.import_module("sklearn")
    except ImportError as error:
        raise ToolError(
            f"scikit-learn is needed to load {path}: {error}", "pip install scikit-learn"
        ) from error
    try:
        return joblib.load(path)
    except Exception as error:
        raise ModelError(
            f"{path}: cannot be loaded: {type(error).__name__}: {error}",
            "is the copy complete, and is the scikit-learn that saved it like the one installed?",
        ) from error


def _layers(pipeline: Any, where: str) -> tuple[list[Dense], Callable[[Array], Any]]:
    """Dense layers from the raw features to scores, and the pipeline's own function that gives the same."""
    steps = [step for _, step in pipeline.steps] if hasattr(pipeline, "steps") else [pipeline]
    scale, offset = _scaling([step for step in steps[:-1] if step != "passthrough"], steps[-1], where)
    layers = _estimator_layers(steps[-1], where)
    first = layers[0]
    folded = Dense(first.weights * scale[:, None], first.bias + offset @ first.weights, first.activation)
    return [folded, *layers[1:]], _scores(pipeline, steps[-1])


def _scaling(steps: list[Any], estimator: Any, where: str) -> tuple[Array, Array]:
    """x' = x * scale + offset, of all scalers together."""
    width = int(estimator.n_features_in_)
    scale, offset = np.ones(width), np.zeros(width)
    for step in steps:
        name = type(step).__name__
        if name == "StandardScaler":
            factor = 1 / step.scale_ if step.with_std else np.ones(width)
            shift = -step.mean_ * factor if step.with_mean else np.zeros(width)
        elif name == "MinMaxScaler":
            factor, shift = step.scale_, step.min_
        elif name == "MaxAbsScaler":
            factor, shift = 1 / step.scale_, np.zeros(width)
        else:
            raise UnsupportedError(
                f"{where}: the step {name} has no form as layers",
                "StandardScaler, MinMaxScaler and MaxAbsScaler have one; do other steps before the model",
            )
        scale, offset = scale * factor, offset * factor + shift
    return scale, offset


def _estimator_layers(estimator: Any, where: str) -> list[Dense]:
    name = type(estimator).__name__
    if hasattr(estimator, "coefs_"):
        last = _ACTIVATIONS.get(estimator.out_activation_, estimator.out_activation_)
        hidden = _ACTIVATIONS[estimator.activation]
        pairs = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
        return [Dense(w, b, last if i == len(pairs) - 1 else hidden) for i, (w, b) in enumerate(pairs)]
    if hasattr(estimator, "coef_") and hasattr(estimator, "intercept_"):
        weights = np.atleast_2d(np.asarray(estimator.coef_, np.float64)).T
        bias = np.broadcast_to(np.ravel(estimator.intercept_), (weights.shape[1],))
        return [Dense(weights, bias, _linear_activation(estimator, weights.shape[1]))]
    raise UnsupportedError(
        f"{where}: {name} has no form as layers",
        f"{_LINEAR} and MLPs have one; compile trees and forests with emlearn",
    )


def _linear_activation(estimator: Any, outputs: int) -> str:
    """Logistic regression gives probabilities, other linear models their scores."""
    if type(estimator).__name__ != "LogisticRegression":
        return ""
    return "sigmoid" if outputs == 1 else "softmax"


def _scores(pipeline: Any, estimator: Any) -> Callable[[Array], Any]:
    """What the layers give, by scikit-learn. Of two classes that is the second one's probability."""
    name = type(estimator).__name__
    if name in ("LogisticRegression", "MLPClassifier"):
        single = len(estimator.classes_) == 2
        return lambda x: pipeline.predict_proba(x)[:, 1:] if single else pipeline.predict_proba(x)
    if hasattr(estimator, "decision_function"):
        decide: Callable[[Array], Any] = pipeline.decision_function
        return decide
    predict: Callable[[Array], Any] = pipeline.predict
    return predict
