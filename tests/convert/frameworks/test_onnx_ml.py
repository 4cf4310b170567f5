# SPDX-License-Identifier: Apache-2.0
"""scikit-learn by ONNX: skl2onnx's models answer as onnxruntime says, and no pickle is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tinyserve.bundle import Bundle
from tinyserve.convert import convert
from tinyserve.convert.frameworks import onnx as front
from tinyserve.convert.worker import runtimes
from tinyserve.convert.worker.messages import LoadModel
from tinyserve.errors import ModelError, UnsupportedError

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
TWO = (Y > 0).astype(int)
_TARGETS = {"": 17, "ai.onnx.ml": 3}

LAYERS: dict[str, tuple[Any, Any]] = {
    "logistic regression": (make_pipeline(StandardScaler(), LogisticRegression()), Y),
    "of two classes": (make_pipeline(RobustScaler(), MaxAbsScaler(), LogisticRegression()), TWO),
    "one against the rest": (SGDClassifier(loss="log_loss", random_state=0), Y),
    "linear SVC": (LinearSVC(), Y),
    "linear SVC of two classes": (LinearSVC(), TWO),
    "ridge": (make_pipeline(Normalizer(), Ridge()), Y),
    "MLP": (MLPClassifier((4,), max_iter=20, random_state=0), Y),
    "MLP of two classes": (make_pipeline(MinMaxScaler(), MLPClassifier((4,), max_iter=20)), TWO),
    "SVR": (SVR(), Y),
    "SVR of another kernel": (SVR(kernel="poly", degree=2), Y),
    "SVC": (make_pipeline(StandardScaler(), SVC()), Y),
    "SVC of two classes": (SVC(kernel="poly", degree=2), TWO),
}
TREES: dict[str, tuple[Any, Any]] = {
    "tree": (DecisionTreeClassifier(max_depth=3, random_state=0), Y),
    "forest": (RandomForestClassifier(7, max_depth=4, random_state=0), Y),
    "of two classes": (ExtraTreesClassifier(5, max_depth=3, random_state=0), TWO),
    "scaled": (make_pipeline(StandardScaler(), RandomForestRegressor(4, random_state=0)), X @ [1, 2, -1, 3]),
    "several targets": (DecisionTreeRegressor(max_depth=4, random_state=0), X[:, ::-1]),
    "components": (make_pipeline(PCA(2), DecisionTreeClassifier(max_depth=3, random_state=0)), Y),
    "boosted": (GradientBoostingClassifier(n_estimators=4, random_state=0), Y),
    "boosted, of two classes": (GradientBoostingClassifier(n_estimators=4, random_state=0), TWO),
    "boosted values": (GradientBoostingRegressor(n_estimators=9, random_state=0), Y * 2.5),
}


def exported(estimator: Any, target: Any, path: Path) -> Path:
    onnx.save(to_onnx(estimator.fit(X, target), X[:1], target_opset=_TARGETS), path)
    return path


def loaded(path: Path) -> Any:
    return front.load(LoadModel("onnx", path, path.with_suffix(".tflite")), lambda *_: None)


@pytest.mark.parametrize("name", LAYERS)
def test_linear_models_and_kernels_become_layers(name: str, tmp_path: Path) -> None:
    made = loaded(exported(*LAYERS[name], tmp_path / "m.onnx"))
    run = runtimes.runner("litert", made.tflite)
    for row in X[::15]:
        wanted, got = made.original([row[None]]), run([row[None]])
        assert len(wanted) == len(got) == 1
        np.testing.assert_allclose(got[0], wanted[0], rtol=1e-4, atol=5e-5)


def convert_float(path: Path) -> Bundle:
    np.savez(path.parent / "iris.npz", x=X)
    return convert(
        path, quantize="float32", representative=path.parent / "iris.npz", output=path.parent / "out"
    )


@pytest.mark.parametrize("name", TREES)
def test_trees_are_one_operator(name: str, tmp_path: Path) -> None:
    """The check of the float model against onnxruntime is the front end's own."""
    made = convert_float(exported(*TREES[name], tmp_path / "m.onnx"))
    assert made.manifest.source.framework == "onnx"
    assert any("TreeEnsemble" in op for op in made.manifest.ops)
    assert all(one.sqnr_db is None or one.sqnr_db > 90 for one in made.manifest.accuracy)


def test_classes_are_labels_and_the_label_output_is_named_as_left_out(tmp_path: Path) -> None:
    names = np.array(["setosa", "versicolor", "virginica"])[Y]
    path = exported(DecisionTreeClassifier(max_depth=2), names, tmp_path / "m.onnx")
    np.savez(tmp_path / "iris.npz", x=X)
    made = convert(path, representative=tmp_path / "iris.npz", output=tmp_path / "out")
    assert made.manifest.labels == ["setosa", "versicolor", "virginica"]
    assert [info.name for info in made.manifest.outputs] == ["output_probability"]
    assert any("'output_label'" in note and "left out" in note for note in made.manifest.notes)
    assert made.manifest.accuracy[0].top1_agreement == pytest.approx(1.0)


def test_what_has_no_form_names_its_node(tmp_path: Path) -> None:
    path = exported(SVC(probability=True), Y, tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match=r"m\.onnx: SVMClassifier '\w+': an SVM with probabilities"):
        loaded(path)


def ensemble(**changed: Any) -> Any:
    """A tree of one split; ``changed`` attributes."""
    attributes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [1, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0], "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "target_treeids": [0, 0], "target_nodeids": [1, 2],
        "target_ids": [0, 0], "target_weights": [1.0, 2.0], "n_targets": 1,
    }  # fmt: skip
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **{**attributes, **changed}
    )
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n]) for name, n in (("x", 2), ("y", 1))
    ]
    graph = helper.make_graph([node], "g", infos[:1], infos[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8)


@pytest.mark.parametrize(
    ("mode", "side"), [("BRANCH_LEQ", 0), ("BRANCH_LT", 1), ("BRANCH_GT", 1), ("BRANCH_GTE", 0)]
)
def test_equal_features_go_where_onnxruntime_sends_them(mode: str, side: int, tmp_path: Path) -> None:
    onnx.save(ensemble(nodes_modes=[mode, "LEAF", "LEAF"]), tmp_path / "m.onnx")
    made = loaded(tmp_path / "m.onnx")
    assert made.original([np.array([[0, 0.5]], np.float32)])[0].item() == 1.0 + side
    np.savez(tmp_path / "d.npz", x=np.array([[0, 0.5], [0, 0.4], [0, 0.6], [0, 0.5]], np.float32))
    checked = convert(
        tmp_path / "m.onnx", quantize="float32", representative=tmp_path / "d.npz", output=tmp_path / "out"
    )
    assert checked.manifest.accuracy[0].max_error == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"nodes_truenodeids": [0, 0, 0]},
        {"nodes_falsenodeids": [9, 0, 0]},
        {"nodes_featureids": [7, 0, 0]},
        {"nodes_values": [0.5]},
        {"target_ids": [0, 4]},
        {"target_weights": [1.0, float("nan")]},
        {"nodes_nodeids": [0, 1, 1]},
    ],
)
def test_damaged_trees_are_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    onnx.save(ensemble(**changed), tmp_path / "m.onnx")
    with pytest.raises((ModelError, UnsupportedError)):
        loaded(tmp_path / "m.onnx").original([np.zeros((1, 2), np.float32)])


def followed(model: Any, *steps: tuple[str, list[Any]]) -> Any:
    """The model with operators behind its last output; of a step's inputs, None is what it follows."""
    graph, value = model.graph, model.graph.output[-1]
    name = value.name
    for number, (kind, inputs) in enumerate(steps):
        given = []
        for place, constant in enumerate(inputs):
            if constant is None:
                given.append(name)
                continue
            given.append(f"constant_{number}_{place}")
            array = np.array(constant, np.float32)
            graph.initializer.append(onnx.numpy_helper.from_array(array, given[-1]))
        name = f"step_{number}"
        graph.node.append(helper.make_node(kind, given, [name]))
    value.name = name
    if not any(one.domain == "" for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", 13))
    return model


BEHIND: dict[str, list[tuple[str, list[Any]]]] = {
    "a forest's average": [("Div", [None, 100.0])],
    "counts": [("Exp", [None]), ("Mul", [None, [0.4]])],
    "a sigmoid of an offset": [("Add", [[0.25], None]), ("Sigmoid", [None]), ("Mul", [None, 1.0])],
    "what is subtracted": [("Sub", [2.5, None]), ("Mul", [-1.5, None]), ("Identity", [None])],
}


@pytest.mark.parametrize("name", BEHIND)
def test_factors_offsets_and_one_activation_behind_trees(name: str, tmp_path: Path) -> None:
    estimator, target = TREES["boosted values"]
    onnx.save(
        followed(to_onnx(estimator.fit(X, target), X[:1], target_opset=_TARGETS), *BEHIND[name]),
        tmp_path / "m.onnx",
    )
    (checked,) = convert_float(tmp_path / "m.onnx").manifest.accuracy
    assert checked.sqnr_db is not None and checked.sqnr_db > 110


def test_a_factor_of_each_class_and_probabilities_times_one(tmp_path: Path) -> None:
    """As onnxmltools writes LightGBM's: without a ZipMap, probabilities are multiplied by one."""
    options = {"zipmap": False}
    for estimator, steps in (
        (TREES["boosted"][0], [("Mul", [None, 1.0])]),
        (TREES["forest"][0], [("Mul", [None, [1.0, 2.0, -3.0]]), ("Add", [None, [[0.5, 0.0, 1.0]]])]),
    ):
        model = to_onnx(estimator.fit(X, Y), X[:1], target_opset=_TARGETS, options=options)
        onnx.save(followed(model, *steps), tmp_path / "m.onnx")
        (checked,) = convert_float(tmp_path / "m.onnx").manifest.accuracy
        assert checked.sqnr_db is not None and checked.sqnr_db > 110


def test_counts_in_eight_bits(tmp_path: Path) -> None:
    estimator, target = TREES["boosted values"]
    model = to_onnx(estimator.fit(X, target), X[:1], target_opset=_TARGETS)
    onnx.save(followed(model, ("Exp", [None])), tmp_path / "m.onnx")
    np.savez(tmp_path / "iris.npz", x=X)
    (checked,) = convert(
        tmp_path / "m.onnx", representative=tmp_path / "iris.npz", output=tmp_path / "out"
    ).manifest.accuracy
    assert checked.sqnr_db is not None and checked.sqnr_db > 30


def test_what_has_no_form_behind_trees_is_named_with_the_place_to_cut(tmp_path: Path) -> None:
    estimator, target = TREES["boosted values"]
    model = to_onnx(estimator.fit(X, target), X[:1], target_opset=_TARGETS)
    onnx.save(followed(model, ("Sin", [None])), tmp_path / "m.onnx")
    with pytest.raises(UnsupportedError, match="Sin behind trees has no form here") as caught:
        loaded(tmp_path / "m.onnx")
    assert "extract_model and 'variable' as its output" in caught.value.hint
