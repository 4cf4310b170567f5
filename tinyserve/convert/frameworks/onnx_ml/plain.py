# SPDX-License-Identifier: Apache-2.0
"""Classic models without what only a computer wants of them, and as operators of ONNX itself.

A classifier of ai.onnx.ml gives a label and probabilities, often as a list of dictionaries (ZipMap). What
stays are the probabilities: the label is the class of the largest.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyserve.convert.frameworks.onnx_import.naming import describe, opset
from tinyserve.convert.frameworks.onnx_ml.attributes import CLASSIFIERS, Attributes, classic_nodes, is_classic
from tinyserve.errors import UnsupportedError
from tinyserve.words import counted

HINT = "give the .joblib that scikit-learn's model was saved to, with --trust"
_OPSET = 13
TREES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")


def prune(model: Any) -> list[str]:
    """Takes ZipMap and outputs that are labels out of the model, and what only they need. Returns notes.

    Raises UnsupportedError for a classifier that gives its label alone.
    """
    graph, onnx = model.graph, importlib.import_module("onnx")
    maps = {node.output[0]: node for node in graph.node if is_classic(node) and node.op_type == "ZipMap"}
    kept, dropped = list[Any](), list[str]()
    for value in graph.output:
        if value.name in maps:
            kept.append(onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, None))
        elif _is_label(onnx, model, value.name):
            dropped.append(value.name)
        else:
            kept.append(value)
    if not kept:
        raise UnsupportedError(
            f"the only output, '{dropped[0]}', is a label",
            "export the model with its probabilities or scores as an output, too",
        )
    for node in maps.values():
        node.op_type, node.domain = "Identity", ""
        del node.attribute[:]
    del graph.output[:]
    graph.output.extend(kept)
    _drop_unread(graph)
    if not opset(model):
        model.opset_import.append(onnx.helper.make_opsetid("", _OPSET))
    names = ", ".join(f"'{name}'" for name in dropped)
    return [f"the label ({names}) is left out: it is the class of the largest output"] if dropped else []


def _is_label(onnx: Any, model: Any, name: str) -> bool:
    """Whether the output is integers or text that a classifier's label, or a look-up of classes, ends in."""
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.output}
    if kinds[name] not in (onnx.TensorProto.INT64, onnx.TensorProto.STRING):
        return False
    makers = {result: node for node in model.graph.node for result in node.output}
    for _ in range(len(model.graph.node)):
        node = makers.get(name)
        if node is None:
            return False
        if is_classic(node):
            label = node.op_type in CLASSIFIERS and node.output[0] == name
            return label or node.op_type in ("ArrayFeatureExtractor", "LabelEncoder")
        if node.op_type not in ("Cast", "Reshape", "Identity", "Squeeze"):
            return False
        name = node.input[0]
    return False


def _drop_unread(graph: Any) -> None:
    needed, kept = {value.name for value in graph.output}, list[Any]()
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))


def labels(model: Any) -> list[str]:
    """The classes of its classifier, where there is one."""
    return next((Attributes(node).labels() for node in classic_nodes(model)
                 if node.op_type in CLASSIFIERS), [])  # fmt: skip


def lowered(model: Any) -> Any:
    """A copy without operators of ai.onnx.ml. Raises UnsupportedError that names the node."""
    made = copy.deepcopy(model)
    nodes = list(made.graph.node)
    del made.graph.node[:]
    for node in nodes:
        if not is_classic(node):
            made.graph.node.append(node)
            continue
        rewrite = _REWRITES.get(node.op_type)
        if rewrite is None:
            raise refusal(node, f"{node.op_type} has no form here")
        rewrite(_Rewriting(made, node))
    return made


def refusal(node: Any, why: str) -> UnsupportedError:
    return UnsupportedError(f"{describe(node)}: {why}", HINT)


class _Rewriting:
    """One node of ai.onnx.ml on its way to others."""

    def __init__(self, model: Any, node: Any) -> None:
        self.onnx, self.model, self.node = importlib.import_module("onnx"), model, node
        self.attributes = Attributes(node)
        self._made = 0

    def constant(self, values: Any) -> str:
        self._made += 1
        name = f"{self.node.output[0]}/constant_{self._made}"
        tensor = self.onnx.numpy_helper.from_array(np.asarray(values), name)
        self.model.graph.initializer.append(tensor)
        return name

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        self._made += 1
        name = output or f"{self.node.output[0]}/{op}_{self._made}"
        made = self.onnx.helper.make_node(op, inputs, [name], name=name, **attributes)
        self.model.graph.node.append(made)
        return name

    def floats(self) -> str:
        """The input, which may be of integers."""
        return self.add("Cast", self.node.input[0], to=self.onnx.TensorProto.FLOAT)

    def linear(self, x: str, coefficients: Any, outputs: int) -> str:
        if outputs < 1 or not coefficients.size or coefficients.size % outputs:
            raise refusal(self.node, f"{coefficients.size} coefficients for {counted(outputs, 'output')}")
        y = self.add("MatMul", x, self.constant(coefficients.reshape(outputs, -1).T.copy()))
        intercepts = self.attributes.floats("intercepts")
        return self.add("Add", y, self.constant(intercepts)) if intercepts.size else y

    def transformed(self, y: str, output: str) -> None:
        """The post-transform."""
        how = self.attributes.text("post_transform", "NONE")
        known = {"NONE": ("Identity", {}), "LOGISTIC": ("Sigmoid", {}), "SOFTMAX": ("Softmax", {"axis": 1})}
        if how not in known:
            raise refusal(self.node, f"the post-transform {how} has no form here")
        op, attributes = known[how]
        self.add(op, y, output=output, **attributes)


def _scaler(made: _Rewriting) -> None:
    offset, scale = made.attributes.floats("offset"), made.attributes.floats("scale")
    x = made.add("Sub", made.floats(), made.constant(offset if offset.size else np.zeros(1, np.float32)))
    factor = made.constant(scale if scale.size else np.ones(1, np.float32))
    made.add("Mul", x, factor, output=made.node.output[0])


def _linear_regressor(made: _Rewriting) -> None:
    targets = made.attributes.integer("targets", 1)
    y = made.linear(made.floats(), made.attributes.floats("coefficients"), targets)
    made.transformed(y, made.node.output[0])


def _linear_classifier(made: _Rewriting) -> None:
    """Of two classes with one row of coefficients, the first one's score is the second one's, negated."""
    coefficients, classes = made.attributes.floats("coefficients"), len(made.attributes.labels())
    rows = made.attributes.floats("intercepts").size or classes
    y = made.linear(made.floats(), coefficients, rows)
    if rows == 1 and classes == 2:
        if made.attributes.text("post_transform", "NONE") != "LOGISTIC":
            raise refusal(made.node, "one score for two classes")
        y = made.add("MatMul", y, made.constant(np.array([[-1, 1]], np.float32)))
    made.transformed(y, made.node.output[1])


def _normalizer(made: _Rewriting) -> None:
    """Rows divided by their norm. Behind a softmax that is nothing: they sum up to one."""
    norm, x = made.attributes.text("norm", "MAX"), made.node.input[0]
    if norm == "L1" and _is_softmax(made.model, x):
        made.add("Identity", x, output=made.node.output[0])
        return
    x = made.floats()
    if norm not in ("L1", "L2"):
        raise refusal(made.node, f"the norm {norm} has no form here")
    size = made.add("Abs", x) if norm == "L1" else made.add("Mul", x, x)
    if opset(made.model) >= 13:
        total = made.add("ReduceSum", size, made.constant(np.array([1])), keepdims=1)
    else:
        total = made.add("ReduceSum", size, keepdims=1, axes=[1])
    made.add("Div", x, total if norm == "L1" else made.add("Sqrt", total), output=made.node.output[0])


def _is_softmax(model: Any, name: str) -> bool:
    return any(name in node.output and node.op_type == "Softmax" for node in model.graph.node)


def _feature_extractor(made: _Rewriting) -> None:
    """Columns by number, of which one stays a column."""
    numbers = made.add("Reshape", made.node.input[1], made.constant(np.array([-1])))
    made.add("Gather", made.node.input[0], numbers, output=made.node.output[0], axis=-1)


def _feature_vectorizer(made: _Rewriting) -> None:
    made.add("Concat", *made.node.input, output=made.node.output[0], axis=1)


def _svm_regressor(made: _Rewriting) -> None:
    """The weighted sum of the kernel between the sample and each support vector."""
    read, x = made.attributes, made.floats()
    coefficients, rho = read.floats("coefficients"), made.constant(read.floats("rho")[:1])
    count = read.integer("n_supports", 0)
    if read.integer("one_class", 0) or read.text("post_transform", "NONE") != "NONE":
        raise refusal(made.node, "one-class SVMs and post-transforms have no form here")
    if count == 0:
        y = made.add("MatMul", x, made.constant(coefficients.reshape(-1, 1)))
    else:
        vectors = read.floats("support_vectors").reshape(count, -1)
        y = made.add("MatMul", _kernel(made, x, vectors), made.constant(coefficients.reshape(-1, 1)))
    made.add("Add", y, rho, output=made.node.output[0])


def _svm_classifier(made: _Rewriting) -> None:
    """A decision per pair of classes, positive for the first of them; of two classes a score for each."""
    read, x = made.attributes, made.floats()
    counts = read.integers("vectors_per_class")
    if read.floats("prob_a").size or read.text("post_transform", "NONE") != "NONE" or len(counts) < 2:
        raise refusal(made.node, "an SVM with probabilities, or without support vectors, has no form here")
    total, classes = int(counts.sum()), len(counts)
    coefficients = read.floats("coefficients").reshape(classes - 1, total)
    vectors = read.floats("support_vectors").reshape(total, -1)
    ends = np.concatenate([[0], np.cumsum(counts)])
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    weights = np.zeros((total, len(pairs)), np.float32)
    for column, (first, second) in enumerate(pairs):
        for own, row in ((first, second - 1), (second, first)):
            place = slice(ends[own], ends[own + 1])
            weights[place, column] = coefficients[row, place]
    bias = read.floats("rho")[: len(pairs)]
    if classes == 2:
        weights, bias = np.concatenate([-weights, weights], 1), np.concatenate([-bias, bias])
    product = made.add("MatMul", _kernel(made, x, vectors), made.constant(weights))
    made.add("Add", product, made.constant(bias), output=made.node.output[1])


def _kernel(made: _Rewriting, x: str, vectors: Any) -> str:
    """(1, support vectors)."""
    kind = made.attributes.text("kernel_type", "LINEAR")
    gamma, offset, degree = [*made.attributes.floats("kernel_params").tolist(), 0.0, 0.0, 0.0][:3]
    if kind == "RBF":
        apart = made.add("Sub", x, made.constant(vectors))
        ones = made.constant(np.full((vectors.shape[1], 1), -gamma, np.float32))
        distances = made.add("MatMul", made.add("Mul", apart, apart), ones)
        return made.add("Exp", made.add("Transpose", distances, perm=[1, 0]))
    product = made.add("MatMul", x, made.constant(vectors.T.copy()))
    if kind == "LINEAR":
        return product
    scaled = made.add("Mul", product, made.constant(np.float32(gamma)))
    inner = made.add("Add", scaled, made.constant(np.float32(offset)))
    if kind == "SIGMOID":
        return made.add("Tanh", inner)
    if kind == "POLY":
        return made.add("Pow", inner, made.constant(np.float32(degree)))
    raise refusal(made.node, f"the kernel {kind} has no form here")


_REWRITES: dict[str, Callable[[_Rewriting], None]] = {
    "Scaler": _scaler,
    "LinearRegressor": _linear_regressor,
    "LinearClassifier": _linear_classifier,
    "Normalizer": _normalizer,
    "ArrayFeatureExtractor": _feature_extractor,
    "FeatureVectorizer": _feature_vectorizer,
    "SVMRegressor": _svm_regressor,
    "SVMClassifier": _svm_classifier,
}
