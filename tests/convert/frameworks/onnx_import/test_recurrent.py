# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers answer as onnxruntime's: LSTMs as one operator where that is possible; the steps of the
others share tables and parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.convert.frameworks.networks.reference import differences, imported
from tinyserve.compiler.graph import reader
from tinyserve.convert import convert
from tinyserve.convert.alike import role, step
from tinyserve.errors import UnsupportedError

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def weights(name: str, *shape: int) -> Any:
    """The same whichever tests ran before."""
    return np.random.default_rng([5, *name.encode(), *shape]).normal(0, 0.4, shape).astype(np.float32)


def model(op: str, steps: int = 6, *, direction: str = "forward", states: bool = False, biases: bool = True,
          **attributes: Any) -> Any:  # fmt: skip
    """Three features, five units; all sequences and last states are outputs."""
    gates, directions = _GATES[op], 2 if direction == "bidirectional" else 1
    constants = {"w": weights("w", directions, gates * 5, 3), "r": weights("r", directions, gates * 5, 5)}
    inputs = {"x": [steps, 1, 3]}
    if biases:
        constants["b"] = weights("b", directions, gates * 10)
    names = ["x", "w", "r", "b" if biases else ""]
    outputs = {"y": [steps, directions, 1, 5], "h": [directions, 1, 5]}
    if attributes.pop("cells", True) and op == "LSTM":
        outputs["c"] = [directions, 1, 5]
    if states:
        constants |= {name: weights(name, directions, 1, 5) for name in ("h0", "c0")}
        names += ["", "h0", *(["c0"] if op == "LSTM" else [])]
    if attributes.pop("peepholes", False):
        constants["p"] = weights("p", directions, 15)
        names += [""] * (7 - len(names)) + ["p"]
    node = helper.make_node(op, names, list(outputs), hidden_size=5, direction=direction, **attributes)
    infos = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in values.items()]
             for values in (inputs, outputs)]  # fmt: skip
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph([node], "g", *infos, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("given", [{}, {"states": True}, {"biases": False}, {"steps": 1}, {"clip": 0.3}])
@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN", "GRU after"])
def test_every_form_is_exact(op: str, given: dict[str, Any], direction: str, tmp_path: Path) -> None:
    reset = {"linear_before_reset": 1} if op == "GRU after" else {}
    found = differences(model(op.split(maxsplit=1)[0], direction=direction, **reset, **given), tmp_path)
    assert all(one.sqnr_db is None or one.sqnr_db > 100 for one in found), list(map(str, found))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("given", [{}, {"steps": 40, "biases": False}])
def test_an_lstm_that_gives_no_cells_is_one_operator(
    given: dict[str, Any], direction: str, tmp_path: Path
) -> None:
    proto = model("LSTM", direction=direction, cells=False, **given)
    found = differences(proto, tmp_path)
    assert all(one.sqnr_db is None or one.sqnr_db > 100 for one in found), list(map(str, found))
    names = [node.name for node in reader.read(imported(proto, tmp_path)[0].tflite).main.nodes]
    assert names.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == (2 if direction == "bidirectional" else 1)
    assert len(names) < 20


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("functions", [
    ["Affine"], ["LeakyRelu"], ["ThresholdedRelu"], ["ScaledTanh"], ["HardSigmoid"], ["Elu"], ["Softsign"],
    ["Softplus"], ["Relu"],
])  # fmt: skip
def test_functions_take_their_parameters_in_order(
    functions: list[str], direction: str, tmp_path: Path
) -> None:
    """A list has an entry for each function that takes one, of both directions."""
    takes = {"Affine": (1, 1), "LeakyRelu": (1, 0), "ThresholdedRelu": (1, 0), "ScaledTanh": (1, 1),
             "HardSigmoid": (1, 1), "Elu": (1, 0)}.get(functions[0], (0, 0))  # fmt: skip
    names, alphas, betas = list(functions), [0.3] * takes[0], [0.6] * takes[1]
    if direction == "bidirectional":
        names = ["Sigmoid", *functions]
    given = {"activation_alpha": alphas, "activation_beta": betas}
    given = {name: values for name, values in given.items() if values}
    found = differences(model("RNN", direction=direction, activations=names, **given), tmp_path)
    assert all(one.sqnr_db is None or one.sqnr_db > 100 for one in found), list(map(str, found))


def test_gates_of_other_functions(tmp_path: Path) -> None:
    names = ["HardSigmoid", "Softsign", "LeakyRelu"]
    proto = model("LSTM", activations=names, activation_alpha=[0.25, 0.1], activation_beta=[0.4])
    found = differences(proto, tmp_path)
    assert all(one.sqnr_db is None or one.sqnr_db > 100 for one in found), list(map(str, found))


def test_peepholes(tmp_path: Path) -> None:
    found = differences(model("LSTM", peepholes=True, states=True), tmp_path)
    assert all(one.sqnr_db is None or one.sqnr_db > 100 for one in found)


def test_coupled_gates_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"LSTM 'y'.*input_forget"):
        differences(model("LSTM", input_forget=1), tmp_path)


def test_names_tell_what_is_alike() -> None:
    assert role(f"a/lstm.{step('step', 3)}/gates") == role(f"a/lstm.{step('step', 11)}/gates") != ""
    assert role("conv/1") == role("a/step/gates") == ""


@pytest.mark.slow
@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_steps_have_one_scale_per_part(op: str, tmp_path: Path) -> None:
    """So that a table is in flash once, and not once per step."""
    onnx.save(model(op, steps=8, **({"linear_before_reset": 1} if op == "GRU" else {})), tmp_path / "m.onnx")
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(5).normal(size=(40, 8, 1, 3)).astype(np.float32))
    made = convert(tmp_path / "m.onnx", representative=tmp_path / "d.npz", output=tmp_path / "out")
    scales: dict[str, set[Any]] = {}
    for node in reader.read(made.model_bytes()).main.nodes:
        read = node.inputs[0]
        if node.name in ("LOGISTIC", "TANH") and read is not None and read.quantization is not None:
            scales.setdefault(node.name, set()).add((read.scale, read.zero_point))
    assert all(len(found) <= 3 for found in scales.values()), scales
    assert all(one.sqnr_db is None or one.sqnr_db > 25 for one in made.manifest.accuracy)
    assert not [note for note in made.manifest.notes if "SPLIT" in note]
