# SPDX-License-Identifier: Apache-2.0
"""Thirty models as new users bring them, 15 of Keras and 15 of scikit-learn: converted to int8 and held
against their float originals on data that nothing was calibrated with.

    python -m tests.convert.first_models [NAME...]

Ends with status 1 where a model neither converts nor is refused with a hint, or where one that lost over two
points of its task's metric is called good.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.bench.accuracy import run as accuracy
from tinyserve.bench.accuracy.references import against_original
from tinyserve.convert import Options, convert
from tinyserve.errors import TinyserveError

Array = npt.NDArray[Any]
CLEAR_LOSS = 0.02


@dataclass(frozen=True)
class Data:
    """Inputs (N, ...) and labels; every third sample is for tests."""

    x: Array
    y: Array | None

    @property
    def test(self) -> npt.NDArray[np.bool_]:
        return np.arange(len(self.x)) % 3 == 0

    def save(self, directory: Path) -> tuple[Path, Path]:
        """Calibration without labels, and the test set with them."""
        calibration, test = directory / "calib.npz", directory / "test.npz"
        np.savez(calibration, x=self.x[~self.test][:300].astype(np.float32))
        labels = {} if self.y is None else {"y": self.y[self.test]}
        np.savez(test, x=self.x[self.test].astype(np.float32), **labels)  # type: ignore[arg-type]
        return calibration, test


def _shuffled(x: Array, y: Array | None) -> Data:
    order = np.random.default_rng(0).permutation(len(x))
    return Data(x[order], None if y is None else y[order])


def toy(name: str) -> Data:
    """A data set of scikit-learn's, in its own units."""
    from sklearn import datasets

    return _shuffled(*getattr(datasets, f"load_{name}")(return_X_y=True))


def digits(channels: bool = True) -> Data:
    data = toy("digits")
    return Data((data.x / 16).reshape(-1, 8, 8, 1) if channels else data.x, data.y)


def waves(count: int = 900, length: int = 64) -> Data:
    """Sine, square and saw with noise, in three channels of unlike size."""
    rng = np.random.default_rng(1)
    t, kinds = np.arange(length), rng.integers(0, 3, count)
    phase = (t[None] * rng.uniform(0.05, 0.12, (count, 1)) + rng.uniform(0, 1, (count, 1))) % 1
    forms = np.stack([np.sin(2 * np.pi * phase), np.sign(phase - 0.5), 2 * phase - 1])
    wave = forms[kinds, np.arange(count)]
    x = np.stack([wave, 0.5 * np.roll(wave, 3, axis=1), 2 * wave], axis=2) + rng.normal(
        0, 0.2, (count, length, 3)
    )
    return Data(x, kinds)


def weather(count: int = 1500) -> Data:
    """Degrees, pascals, percent and metres per second to a target in hundreds."""
    rng = np.random.default_rng(2)
    degrees, pascals = rng.normal(15, 8, count), rng.normal(101_325, 1000, count)
    x = np.stack([degrees, pascals, rng.uniform(0, 100, count), rng.gamma(2, 3, count)], axis=1)
    y = 300 + 6 * x[:, 0] - 0.05 * (x[:, 1] - 101_325) + 20 * np.sin(x[:, 2] / 20) + 4 * x[:, 3]
    return Data(x, y + rng.normal(0, 3, count))


def shapes(count: int = 300) -> Data:
    """Discs on noise, and where they are."""
    rng = np.random.default_rng(3)
    centre, radius = rng.uniform(6, 18, (count, 2, 1, 1)), rng.uniform(3, 6, (count, 1, 1))
    grid = np.mgrid[0:24, 0:24][None]
    mask = ((grid - centre) ** 2).sum(axis=1) < radius**2
    x = mask * rng.uniform(0.5, 1, (count, 1, 1)) + rng.normal(0, 0.15, (count, 24, 24))
    return Data(x[..., None], mask.astype(np.int64))


def machine(count: int = 1200) -> Data:
    """Spectra of a machine; one in eight is not as usual."""
    rng = np.random.default_rng(4)
    odd = np.arange(count) % 8 == 7
    base = np.exp(-((np.arange(32)[None] - rng.normal(10, 0.5, (count, 1))) ** 2) / 20)
    bump = np.exp(-((np.arange(32)[None] - rng.uniform(18, 28, (count, 1))) ** 2) / 6)
    x = base + odd[:, None] * 0.6 * bump + rng.normal(0, 0.05, (count, 32))
    return Data(x, odd.astype(np.int64))


# --- Keras


def fitted(layers: Callable[[Any], list[Any]], data: Data, task: str = "classes", epochs: int = 12) -> Any:
    """A sequential model, trained a little. ``task``: classes, values, mask, or repeat."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(data.x.shape[1:]), *layers(keras)])
    losses = {"classes": "sparse_categorical_crossentropy", "mask": "sparse_categorical_crossentropy"}
    train = data.x[~data.test]
    target = train if task == "repeat" or data.y is None else data.y[~data.test]
    if task == "repeat" and data.y is not None:
        train = target = train[data.y[~data.test] == 0]
    rate = keras.optimizers.Adam(3e-3)
    loss = losses.get(task, "binary_crossentropy" if task == "yes or no" else "mse")
    model.compile(rate, loss)
    model.fit(train, target, epochs=epochs, batch_size=32, verbose=0)
    return model


def dense(keras: Any) -> list[Any]:
    layers = keras.layers
    return [layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")]


def normalized(*layers: str) -> Callable[[Data], Any]:
    """Normalization in front, of raw features."""

    def make(data: Data) -> Any:
        import keras

        front = keras.layers.Normalization()
        front.adapt(data.x[~data.test])
        last = keras.layers.Dense(1) if "values" in layers else keras.layers.Dense(3, activation="softmax")
        hidden = [keras.layers.Dense(size, activation="relu") for size in (24, 12)]
        return fitted(lambda _: [front, *hidden, last], data, *layers, epochs=60)

    return make


def _scaled_target(data: Data) -> Data:
    assert data.y is not None
    return Data(data.x, (data.y - data.y.mean()) / data.y.std())


KERAS: dict[str, tuple[Callable[[], Data], Callable[[Data], Any]]] = {
    "dense, wine, normalized": (lambda: toy("wine"), normalized()),
    "dense, iris": (lambda: toy("iris"), lambda d: fitted(dense, d, epochs=80)),
    "regression, weather, normalized": (lambda: _scaled_target(weather()), normalized("values")),
    "yes or no, cancer, batch norm": (
        lambda: toy("breast_cancer"),
        lambda d: fitted(
            lambda k: [
                k.layers.BatchNormalization(),
                k.layers.Dense(16, activation="relu"),
                k.layers.Dense(1, activation="sigmoid"),
            ],
            d,
            "yes or no",
            30,
        ),
    ),
    "CNN, digits": (
        digits,
        lambda d: fitted(
            lambda k: [
                k.layers.Conv2D(8, 3, activation="relu"),
                k.layers.MaxPooling2D(),
                k.layers.Flatten(),
                k.layers.Dense(10, activation="softmax"),
            ],
            d,
        ),
    ),
    "separable CNN, digits": (
        digits,
        lambda d: fitted(
            lambda k: [
                k.layers.SeparableConv2D(16, 3, padding="same"),
                k.layers.BatchNormalization(),
                k.layers.ReLU(6.0),
                k.layers.SeparableConv2D(16, 3),
                k.layers.GlobalAveragePooling2D(),
                k.layers.Dense(10, activation="softmax"),
            ],
            d,
            epochs=60,
        ),
    ),
    "augmented CNN, dropout, digits": (
        digits,
        lambda d: fitted(
            lambda k: [
                k.layers.RandomTranslation(0.1, 0.1),
                k.layers.Conv2D(8, 3, activation="gelu"),
                k.layers.Dropout(0.2),
                k.layers.Flatten(),
                k.layers.Dense(10),
                k.layers.Softmax(),
            ],
            d,
        ),
    ),
    "1D CNN, waves": (
        waves,
        lambda d: fitted(
            lambda k: [
                k.layers.Conv1D(8, 5, activation="relu"),
                k.layers.MaxPooling1D(2),
                k.layers.Conv1D(8, 5, activation="relu"),
                k.layers.GlobalMaxPooling1D(),
                k.layers.Dense(3, activation="softmax"),
            ],
            d,
        ),
    ),
    "LSTM, waves": (
        lambda: waves(length=24),
        lambda d: fitted(
            lambda k: [k.layers.LSTM(12), k.layers.Dense(3, activation="softmax")], d, epochs=20
        ),
    ),
    "GRU, waves": (
        lambda: waves(length=24),
        lambda d: fitted(lambda k: [k.layers.GRU(12), k.layers.Dense(3, activation="softmax")], d, epochs=20),
    ),
    "bidirectional, waves": (
        lambda: waves(length=16),
        lambda d: fitted(
            lambda k: [
                k.layers.Bidirectional(k.layers.SimpleRNN(8)),
                k.layers.Dense(3, activation="softmax"),
            ],
            d,
            epochs=20,
        ),
    ),
    "U-Net, discs": (
        shapes,
        lambda d: fitted(
            lambda k: [
                k.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
                k.layers.Conv2D(8, 3, padding="same", activation="relu"),
                k.layers.UpSampling2D(),
                k.layers.Conv2D(2, 3, padding="same", activation="softmax"),
            ],
            d,
            "mask",
            40,
        ),
    ),
    "autoencoder, machine": (
        machine,
        lambda d: fitted(
            lambda k: [
                k.layers.Dense(12, activation="relu"),
                k.layers.Dense(4),
                k.layers.Dense(12, activation="relu"),
                k.layers.Dense(32),
            ],
            d,
            "repeat",
            40,
        ),
    ),
    "transposed autoencoder, discs": (
        lambda: Data(shapes().x, None),
        lambda d: fitted(
            lambda k: [
                k.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
                k.layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
            ],
            d,
            "repeat",
        ),
    ),
    "rescaled pixels, swish, digits": (
        lambda: digits(channels=False),
        lambda d: fitted(
            lambda k: [
                k.layers.Rescaling(1 / 16),
                k.layers.Dense(24, activation="swish"),
                k.layers.Dense(10, activation="softmax"),
            ],
            d,
            epochs=20,
        ),
    ),
}


# --- scikit-learn


def _sklearn() -> dict[str, tuple[Callable[[], Data], Callable[[], Any]]]:
    from sklearn import (
        cluster,
        ensemble,
        linear_model,
        naive_bayes,
        neighbors,
        neural_network,
        pipeline,
        preprocessing,
        svm,
        tree,
    )

    def scaled(model: Any) -> Any:
        return pipeline.make_pipeline(preprocessing.StandardScaler(), model)

    wine, cancer, diabetes = (lambda: toy("wine")), (lambda: toy("breast_cancer")), (lambda: toy("diabetes"))
    flat, odd = (lambda: digits(channels=False)), machine
    return {
        "logistic regression, wine": (wine, lambda: scaled(linear_model.LogisticRegression())),
        "binary logistic regression, cancer": (cancer, lambda: scaled(linear_model.LogisticRegression())),
        "linear SVC, cancer": (cancer, lambda: scaled(svm.LinearSVC())),
        "SVC, wine": (wine, lambda: scaled(svm.SVC())),
        "SVC polynomial, digits": (flat, lambda: scaled(svm.SVC(kernel="poly", C=0.01, degree=2))),
        "neighbours, wine": (wine, lambda: scaled(neighbors.KNeighborsClassifier())),
        "naive Bayes, wine": (wine, naive_bayes.GaussianNB),
        "MLP, digits": (
            flat,
            lambda: scaled(neural_network.MLPClassifier((24,), max_iter=150, random_state=0)),
        ),
        "MLP regressor, weather": (
            weather,
            lambda: scaled(
                neural_network.MLPRegressor(
                    hidden_layer_sizes=(24,), solver="lbfgs", max_iter=300, random_state=0
                )
            ),
        ),
        "ridge, diabetes": (diabetes, linear_model.Ridge),
        "tree, iris": (lambda: toy("iris"), lambda: tree.DecisionTreeClassifier(max_depth=4)),
        "forest, digits": (flat, lambda: ensemble.RandomForestClassifier(20, max_depth=8, random_state=0)),
        "boosted regression, diabetes": (
            diabetes,
            lambda: ensemble.GradientBoostingRegressor(n_estimators=40, random_state=0),
        ),
        "k-means, machine": (odd, lambda: scaled(cluster.KMeans(5, random_state=0, n_init=3))),
        "isolation forest, machine": (odd, lambda: ensemble.IsolationForest(n_estimators=30, random_state=0)),
    }


def write(name: str, directory: Path) -> tuple[Path, Path, Path]:
    """The model of that name: its file, calibration data and test data in ``directory``."""
    if name in KERAS:
        get, make = KERAS[name]
        data, path = get(), directory / "model.keras"
        make(data).save(path)
        return path, *data.save(directory)
    import joblib

    source, estimator = _sklearn()[name]
    data, path = source(), directory / "model.joblib"
    model = estimator()
    outliers = hasattr(model, "fit_predict")
    train = data.x[~data.test]
    joblib.dump(model.fit(train) if outliers else model.fit(train, data.y[~data.test]), path)  # type: ignore[index]
    return path, *data.save(directory)


def names() -> list[str]:
    return [*KERAS, *_sklearn()]


@dataclass(frozen=True)
class Outcome:
    """``lost``: points of the main metric on the test set, None where the model was refused."""

    line: str
    lost: float | None
    grade: str = ""

    @property
    def wrong(self) -> bool:
        return self.lost is not None and self.lost > CLEAR_LOSS and self.grade == "good"


def judged(name: str, directory: Path) -> Outcome:
    """The model converted as a new user would, and what it lost. Raises what is no clear refusal."""
    path, calibration, test = write(name, directory)
    try:
        made = convert(path, output=directory / "b", representative=calibration, options=Options(trust=True))
    except TinyserveError as error:
        if not error.hint or "please report" in error.hint:
            raise
        return Outcome(f"refused: {error.message.splitlines()[0]}", None)
    compiled = accuracy.run(made, test)
    scheme = made.manifest.quantize
    if scheme == "float32":
        return Outcome(f"{scheme}: {_spelled(compiled)}", 0.0, _grade(made, compiled, None))
    original = accuracy.run_reference(made, test, "float", compiled.task)
    before, after = original.scores[0], compiled.scores_of_first(1000)[0]
    from tinyserve.quality.limits import lost

    grade = _grade(made, compiled, original)
    converted = _grade(made, None, None)
    change = f"{before.metric} {before.value:.4f} → {after.value:.4f}"
    line = f"{scheme}: {change}; convert says {converted}, accuracy {grade}"
    worst = "good" if "good" in (grade, converted) else grade
    return Outcome(line, lost(before, after), worst)


def _grade(made: Any, compiled: Any, original: Any) -> str:
    from tinyserve.quality.limits import of_bundle

    verdict = of_bundle(made.manifest) if compiled is None else against_original(made, compiled, original)
    return verdict.grade if verdict else "not known"


def _spelled(found: Any) -> str:
    return ", ".join(f"{score.metric} {score.value:.4f}" for score in found.scores)


def main() -> int:
    chosen = sys.argv[1:] or names()
    wrong = []
    for name in chosen:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as directory:
            try:
                found = judged(name, Path(directory))
            except Exception as error:  # whatever it is, the others are tried as well
                found = Outcome(f"FAILED: {type(error).__name__}: {error}", 1.0, "good")
        print(
            f"{'✗' if found.wrong else ' '} {name:36} {found.line}  ({time.monotonic() - started:.0f} s)",
            flush=True,
        )
        wrong += [name] * found.wrong
    print(
        f"{len(chosen) - len(wrong)} passed, {len(wrong)} failed" + (f": {', '.join(wrong)}" if wrong else "")
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
