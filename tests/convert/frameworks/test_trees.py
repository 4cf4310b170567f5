# SPDX-License-Identifier: Apache-2.0
"""Trees of scikit-learn: the float model answers as scikit-learn does, the integer ones as emlearn's C."""

from __future__ import annotations

import copy
import importlib
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tinyserve import bundle
from tinyserve.cli.main import main
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import PORTABLE
from tinyserve.compiler.tflm.generate import interpret
from tinyserve.convert import Options, convert
from tinyserve.convert.check.debug import diagnose
from tinyserve.convert.frameworks import forest, trees
from tinyserve.convert.tflite import facts
from tinyserve.convert.worker.messages import Quantize
from tinyserve.errors import ToolError, UnsupportedError

with np.errstate():  # emlearn makes numpy raise for underflow, in all of the process
    import emlearn

Array = npt.NDArray[Any]
TRUSTED = Options(trust=True)
WINE, WINE_CLASSES = load_wine(return_X_y=True)
DIGITS, DIGITS_CLASSES = load_digits(return_X_y=True)
DIABETES, DIABETES_VALUES = load_diabetes(return_X_y=True)
IRIS, _ = load_iris(return_X_y=True)
BINARY = WINE_CLASSES == 1


def float_model(estimator: Any, steps: list[Any] | None = None) -> bytes:
    return trees.write(forest.of(estimator, steps or [], "m.joblib"), None, "y")


def integers(data: bytes, samples: Array, scheme: str) -> bytes:
    request = Quantize(source=Path(), output=Path(), samples=Path(), scheme=scheme)
    return trees.quantize(data, samples.astype(np.float32), request)


def run(data: bytes, samples: Array) -> Array:
    """Outputs (N, K) of real inputs in real units."""
    found = facts.inspect(data, "m")
    stored = bundle.quantize(samples.astype(np.float32), found.inputs[0])
    (raw,) = HostModel(compile_model(data)).run_batch([stored[:, None]])
    return bundle.dequantize(raw.reshape(len(samples), -1), found.outputs[0])


def wanted(model: Any, samples: Array) -> Array:
    """scikit-learn's probabilities (of two classes with one output: the second's) or values."""
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(samples)).reshape(len(samples), -1)
    found = np.asarray(model.predict_proba(samples))
    estimator = model[-1] if hasattr(model, "steps") else model
    return found[:, 1:] if found.shape[1] == 2 and "Boosting" in type(estimator).__name__ else found


@cache
def digits_forest() -> RandomForestClassifier:
    """Fully grown, so that every leaf is a vote for one class."""
    return RandomForestClassifier(12, random_state=0).fit(DIGITS[::2], DIGITS_CLASSES[::2])


SMALL: dict[str, Any] = {"random_state": 0, "max_depth": 4}
MODELS: dict[str, tuple[Any, Array, Array]] = {
    "forest": (RandomForestClassifier(8, **SMALL), WINE, WINE_CLASSES),
    "weighted forest": (
        RandomForestClassifier(8, class_weight={0: 5, 1: 1, 2: 0.1}, **SMALL), WINE, WINE_CLASSES,
    ),
    "extra trees": (ExtraTreesClassifier(8, **SMALL), WINE, WINE_CLASSES),
    "tree": (DecisionTreeClassifier(random_state=0), WINE, WINE_CLASSES),
    "binary forest": (RandomForestClassifier(8, **SMALL), WINE, BINARY),
    "regression forest": (RandomForestRegressor(8, **SMALL), DIABETES, DIABETES_VALUES),
    "extra trees regression": (ExtraTreesRegressor(8, **SMALL), DIABETES, DIABETES_VALUES),
    "regression tree": (DecisionTreeRegressor(**SMALL), DIABETES, DIABETES_VALUES),
    "two values": (
        RandomForestRegressor(8, **SMALL), DIABETES, np.stack([DIABETES_VALUES, -DIABETES_VALUES], axis=1),
    ),
    "boosted": (GradientBoostingClassifier(n_estimators=8, **SMALL), WINE, WINE_CLASSES),
    "binary boosted": (GradientBoostingClassifier(n_estimators=8, **SMALL), WINE, BINARY),
    "exponential loss": (
        GradientBoostingClassifier(loss="exponential", n_estimators=8, **SMALL), WINE, BINARY,
    ),
    "boosted regression": (GradientBoostingRegressor(n_estimators=8, **SMALL), DIABETES, DIABETES_VALUES),
    "histogram boosted": (HistGradientBoostingClassifier(max_iter=8, **SMALL), WINE, WINE_CLASSES),
    "binary histogram boosted": (HistGradientBoostingClassifier(max_iter=8, **SMALL), WINE, BINARY),
    "histogram regression": (HistGradientBoostingRegressor(max_iter=8, **SMALL), DIABETES, DIABETES_VALUES),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_float_model_answers_as_scikit_learn_on_all_samples(name: str) -> None:
    estimator, samples, answers = MODELS[name]
    samples = samples.astype(np.float32).astype(np.float64)
    model = estimator.fit(samples, answers)
    got, expected = run(float_model(model), samples), wanted(model, samples)
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-7)
    if expected.shape[1] > 1:
        np.testing.assert_array_equal(got.argmax(axis=1), expected.argmax(axis=1))


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler((-1, 3)), RobustScaler()])
def test_scalers_are_folded_into_thresholds_to_the_last_bit(scaler: Any) -> None:
    """Samples right at each folded threshold and right above it go where the pipeline sends them."""
    pipeline = make_pipeline(scaler, DecisionTreeClassifier(random_state=0)).fit(WINE, WINE_CLASSES)
    made = forest.of(pipeline[-1], [pipeline[0]], "m")
    rows = np.repeat(WINE[:1], 2 * len(made.feature), axis=0)
    rows[np.arange(len(rows)), np.repeat(made.feature, 2)] = np.stack(
        [made.threshold, np.nextafter(made.threshold, np.float32(np.inf))], axis=1
    ).reshape(-1)
    scaled = scaler.transform(rows).astype(np.float32)
    tree = pipeline[-1].tree_
    nodes = np.flatnonzero(tree.children_left >= 0)
    left = scaled[np.arange(len(rows)), np.repeat(made.feature, 2)] <= np.repeat(tree.threshold[nodes], 2)
    assert left.reshape(-1, 2).tolist() == [[True, False]] * len(nodes)


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
def test_integers_on_integer_features_lose_no_vote(scheme: str) -> None:
    data = integers(float_model(digits_forest()), DIGITS, scheme)
    got, expected = run(data, DIGITS), wanted(digits_forest(), DIGITS)
    np.testing.assert_array_equal(got.argmax(axis=1), expected.argmax(axis=1))
    assert np.abs(got - expected).max() <= (1 / 256 if scheme == "int8" else 1.01 / 32768)


@pytest.mark.parametrize("name", MODELS)
def test_sixteen_bits_are_close_to_float(name: str) -> None:
    """No more than a sample or two lie so near a threshold that a step of 1/65,532 of its range tells."""
    estimator, samples, answers = MODELS[name]
    model = estimator.fit(samples, answers)
    got, expected = run(integers(float_model(model), samples, "int16x8"), samples), wanted(model, samples)
    off = np.abs(got - expected).max(axis=1) > 3e-4 * np.abs(expected).max()
    assert off.sum() <= 2


def test_eight_bits_keep_the_classes_of_continuous_features() -> None:
    model = RandomForestClassifier(10, random_state=0).fit(WINE, WINE_CLASSES)
    got = run(integers(float_model(model), WINE, "int8"), WINE)
    assert (got.argmax(axis=1) == model.predict(WINE)).mean() > 0.98


@pytest.mark.parametrize("method", ["inline", "loadable"])
def test_votes_are_those_of_emlearns_c(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """emlearn's C asks for less than a threshold cut to an integer: for x <= t it gets x < floor(t) + 1."""
    got = run(integers(float_model(digits_forest()), DIGITS, "int16x8"), DIGITS)
    shifted = copy.deepcopy(digits_forest())
    for tree in shifted.estimators_:
        tree.tree_.threshold[:] = np.floor(tree.tree_.threshold) + 1
    monkeypatch.chdir(tmp_path)  # where emlearn compiles
    theirs = emlearn.convert(shifted, method=method, dtype="int16_t")
    np.testing.assert_array_equal(got.argmax(axis=1), theirs.predict(DIGITS))
    np.testing.assert_allclose(got, theirs.predict_proba(DIGITS), atol=1.01 / 32768)


def test_features_far_from_zero_have_steps_of_their_own() -> None:
    """Pressures in pascal beside a share: both have all 8 bits."""
    rng = np.random.default_rng(3)
    samples = np.stack([rng.integers(0, 100, 300) * 10 + 98_000, rng.integers(0, 100, 300) / 100], axis=1)
    answers = (samples[:, 0] > 98_500) ^ (samples[:, 1] > 0.5)
    model = DecisionTreeClassifier(random_state=0).fit(samples, answers)
    got = run(integers(float_model(model), samples, "int8"), samples)
    np.testing.assert_array_equal(got.argmax(axis=1), answers)


@pytest.mark.parametrize("offset", [0.0, 5.0, -5.0])
def test_a_single_feature(offset: float) -> None:
    samples = (np.arange(100.0) / 100 + offset).reshape(-1, 1)
    model = DecisionTreeRegressor(max_depth=3).fit(samples, samples[:, 0] ** 2)
    for scheme, within in (("int8", 0.02), ("int16x8", 1e-4)):
        got = run(integers(float_model(model), samples, scheme), samples)
        off = np.abs(got[:, 0] - model.predict(samples)) > within * np.abs(samples**2).max()
        assert off.mean() <= 0.15


REFUSED: dict[str, tuple[Any, Array, Array, str]] = {
    "several questions": (
        RandomForestClassifier(2), IRIS, np.stack([IRIS[:, 0] > 5, IRIS[:, 1] > 3], axis=1),
        "2 questions at once",
    ),
    "one class": (RandomForestClassifier(2), IRIS, np.zeros(150), "a single class, 0"),
    "no split": (DecisionTreeRegressor(), IRIS, np.ones(150), "always answers the same"),
    "a start of its own": (
        GradientBoostingClassifier(n_estimators=2, init=LogisticRegression(max_iter=500)), IRIS,
        IRIS[:, 0] > 5, "starts from a model of its own",
    ),
    "categories": (
        HistGradientBoostingRegressor(max_iter=2, categorical_features=[0]), np.round(IRIS), IRIS[:, 1],
        "categorical features",
    ),
    "an exponential": (
        HistGradientBoostingRegressor(max_iter=2, loss="poisson"), IRIS, IRIS[:, 1], "exponential of its sum",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_is_named(name: str) -> None:
    estimator, samples, answers, message = REFUSED[name]
    with pytest.raises(UnsupportedError, match=message) as caught:
        forest.of(estimator.fit(samples, answers), [], "m.joblib")
    assert caught.value.hint


def test_trees_that_never_split_only_move_the_sum() -> None:
    model = GradientBoostingRegressor(n_estimators=6, max_depth=2, random_state=0, min_samples_split=0.9)
    model.fit(IRIS[:100], np.r_[np.zeros(95), np.ones(5)])
    pruned = float_model(model)
    np.testing.assert_allclose(run(pruned, IRIS)[:, 0], model.predict(IRIS), rtol=1e-6)


def test_a_missing_emlearn_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    actual = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name.startswith("emlearn"):
            raise ImportError(f"No module named {name!r}")
        return actual(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ToolError, match="emlearn is needed") as caught:
        forest.of(digits_forest(), [], "m.joblib")
    assert caught.value.hint == "pip install 'tinyserve[sklearn]'"


# --- through the command line


def saved(directory: Path, model: Any, samples: Array, labels: Array) -> tuple[Path, Path]:
    joblib.dump(model, directory / "m.joblib")
    np.savez(directory / "data.npz", x=samples.astype(np.float32), y=labels)
    return directory / "m.joblib", directory / "data.npz"


@pytest.mark.usefixtures("cold_workers")
def test_a_pipeline_becomes_a_bundle_that_benches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = np.array(["barolo", "grignolino", "barbera"])[WINE_CLASSES]
    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(6, **SMALL)).fit(WINE, names)
    source, data = saved(tmp_path, pipeline, WINE, pipeline.classes_.searchsorted(names))
    made = convert(source, representative=data, output=tmp_path / "b", options=TRUSTED)
    assert made.manifest.ops == {"TreeEnsemble": 1}
    assert made.manifest.labels == ["barbera", "barolo", "grignolino"]
    assert "emlearn" in made.manifest.tools
    assert made.manifest.accuracy[0].top1_agreement == 1.0
    assert (len(made.manifest.inputs[0].scales), len(made.manifest.inputs[0].zero_points)) == (13, 13)
    assert not [note for note in made.manifest.notes if "blurred" in note]  # a scale each: nothing to scale
    for board in ("cortex-m0", "rv32imc"):
        assert main(["bench", "b", "--board", board, "--dataset", str(data), "--limit", "20"]) == 0
        assert "equal byte for byte" in capsys.readouterr().out


def test_principal_components_are_for_float(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), PCA(4), MinMaxScaler(), DecisionTreeClassifier(max_depth=3))
    source, data = saved(tmp_path, model.fit(WINE, WINE_CLASSES), WINE, WINE_CLASSES)
    made = convert(
        source, representative=data, output=tmp_path / "f", quantize="float32", options=TRUSTED
    ).manifest
    assert made.ops == {"FULLY_CONNECTED": 1, "TreeEnsemble": 1}
    assert made.accuracy[0].top1_agreement == 1.0
    with pytest.raises(UnsupportedError, match="what comes before trees is not quantized") as caught:
        convert(source, representative=data, output=tmp_path / "i", options=TRUSTED)
    assert caught.value.hint == "use --quantize float32"


def test_a_step_that_mixes_samples_values_is_named(tmp_path: Path) -> None:
    model = make_pipeline(Normalizer(), DecisionTreeClassifier(max_depth=3)).fit(WINE, WINE_CLASSES)
    source, data = saved(tmp_path, model, WINE, WINE_CLASSES)
    with pytest.raises(UnsupportedError, match="Normalizer has no form before trees"):
        convert(source, representative=data, output=tmp_path / "b", options=TRUSTED)


def test_tflm_says_that_it_has_no_trees() -> None:
    model = integers(float_model(digits_forest()), DIGITS, "int8")
    with pytest.raises(UnsupportedError, match="TensorFlow Lite Micro does not have: TreeEnsemble") as caught:
        interpret(model, PORTABLE, "m")
    assert "use the engine aot" in caught.value.hint


def test_debug_says_that_trees_have_no_layers(tmp_path: Path) -> None:
    source, data = saved(tmp_path, digits_forest(), DIGITS[:60], DIGITS_CLASSES[:60])
    made = convert(source, representative=data, output=tmp_path / "b", options=TRUSTED)
    assert "expected outputs are the compiled model's: TFLM has no TreeEnsemble" in made.manifest.notes
    with pytest.raises(UnsupportedError, match="trees have no layers to compare"):
        diagnose(made)


@pytest.mark.parametrize(
    ("option", "said"), [({"clip": "mse"}, "--clip"), ({"keep_float": ["y"]}, "--per-layer")]
)
def test_options_that_mean_nothing_for_trees(option: dict[str, Any], said: str) -> None:
    request = Quantize(source=Path(), output=Path(), samples=Path(), scheme="int8", **option)
    with pytest.raises(UnsupportedError, match=said):
        trees.quantize(float_model(digits_forest()), DIGITS.astype(np.float32), request)


def test_inspect_forecasts_a_pickle_that_is_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = saved(
        tmp_path, RandomForestClassifier(3, **SMALL).fit(WINE, WINE_CLASSES), WINE, WINE_CLASSES
    )
    assert main(["inspect", str(source), "--fits", "--board", "cortex-m0"]) == 2
    assert "--trust" in capsys.readouterr().err
    assert main(["inspect", str(source), "--fits", "--board", "cortex-m0", "--trust"]) == 0
    assert "int16x8" in capsys.readouterr().out


def test_converting_trees_leaves_numpy_as_it_was(tmp_path: Path) -> None:
    """emlearn makes numpy raise for underflow, which would reach everything else in the process."""
    program = (
        "import numpy as np\n"
        "before = np.geterr()\n"
        "from tinyserve.convert.frameworks import forest\n"
        "forest._flatten()\n"
        "assert np.geterr() == before, np.geterr()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, cwd=tmp_path)


def test_samples_on_a_threshold_of_a_strict_comparison_stay_right() -> None:
    """XGBoost compares with <, and its thresholds are values of features: the float32 before them is what is
    compared with."""
    rng = np.random.default_rng(3)
    samples = rng.normal(size=(200, 1)).astype(np.float32)
    limits = np.nextafter(samples[:20, 0], np.float32(-np.inf))
    steps = trees._steps(np.sort(samples[:, 0]), limits, np.float32(1e-4))
    stored = trees._rounded(samples[:, 0] / np.float32(1e-4))
    wrong = (stored[:, None] <= steps) != (samples <= limits)
    assert wrong.mean() < 0.001
