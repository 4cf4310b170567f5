# SPDX-License-Identifier: Apache-2.0
"""ONNX files that mean harm, or are nonsense: one message each, in little time and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tinyserve.convert.frameworks import onnx as front
from tinyserve.convert.worker.messages import LoadModel
from tinyserve.errors import ModelError, TinyserveError, UnsupportedError, UsageError

node, info = helper.make_node, helper.make_tensor_value_info
_ROW = [1, 4]
X, Y = info("x", TensorProto.FLOAT, [1, 4]), info("y", TensorProto.FLOAT, [1, 4])


def model(nodes: list[Any], inputs: Any = X, outputs: Any = Y, **constants: Any) -> Any:
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [inputs], [outputs], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def relu(shape: list[int]) -> Any:
    return model([node("Relu", ["x"], ["y"])], *(info(name, TensorProto.FLOAT, shape) for name in ("x", "y")))


def loop(trips: int) -> Any:
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Relu", ["v"], ["w"])], "body",
        [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []),
         info("v", TensorProto.FLOAT, _ROW)],
        [info("on", TensorProto.BOOL, []), info("w", TensorProto.FLOAT, _ROW)],
    )  # fmt: skip
    nodes = [node("Loop", ["n", "t", "c"], ["r"], body=body), node("Add", ["x", "r"], ["y"])]
    return model(nodes, n=np.int64(trips), t=np.array(True), c=np.ones((1, 4), np.float32))


def outside(location: str) -> Any:
    made = model([node("Add", ["x", "w"], ["y"])], w=np.ones((1, 4), np.float32))
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return made


def odd_weights() -> Any:
    made = model([node("Add", ["x", "w"], ["y"])], w=np.ones((1, 4), np.float32))
    made.graph.initializer[0].data_type = 99
    return made


def without_outputs() -> Any:
    made = relu(_ROW)
    del made.graph.output[:]
    return made


def old(opset: int) -> Any:
    made = relu(_ROW)
    made.opset_import[0].version = opset
    return made


def recursion() -> Any:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    function = helper.make_function("my", "F", ["a"], ["b"], [node("F", ["a"], ["b"], domain="my")], opsets)
    made = model([node("F", ["x"], ["y"], domain="my")])
    made.functions.append(function)
    made.opset_import.append(opsets[1])
    return made


def sequence() -> Any:
    made = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1, 4])
    return model([node("SequenceLength", ["x"], ["y"])], made, info("y", TensorProto.INT64, []))


NODES = {
    "cycle": [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])],
    "twice": [node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])],
    "dangling": [node("Add", ["x", "nothing"], ["y"])],
    "many": [node("Relu", [f"t{i}" if i else "x"], [f"t{i + 1}"]) for i in range(20_001)],
}
CASES: dict[str, Any] = {
    **{name: model(nodes) for name, nodes in NODES.items()},
    "huge input": relu([1, 2**40]),
    "negative extent": relu([1, -5]),
    "loop of constants": loop(2**60),
    "memory": model(
        [node("Expand", ["c", "s"], ["e"]), node("ReduceSum", ["e"], ["r"], keepdims=0),
         node("Add", ["x", "r"], ["y"])],
        c=np.ones(1, np.float32), s=np.array([2**36]),
    ),
    "data outside": outside("../secret.bin"),
    "data of the system": outside("/etc/passwd"),
    "data by a link": outside("link.bin"),
    "data that is not there": outside("missing.bin"),
    "weights of no type": odd_weights(),
    "recursion": recursion(),
    "no outputs": without_outputs(),
    "an extent of zero": relu([1, 0]),
    "opset 1": old(1),
    "opset 6": old(6),
    "sequence": sequence(),
    "text": model([node("Identity", ["x"], ["y"])], *(info(n, TensorProto.STRING, [1, 4]) for n in "xy")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_message_each(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.bin").write_bytes(b"s" * 64)
    (tmp_path / "in" / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = tmp_path / "in" / "m.onnx"
    path.write_bytes(CASES[name].SerializeToString())
    with pytest.raises((ModelError, UnsupportedError, UsageError)) as caught:
        front.load(LoadModel("onnx", path, tmp_path / "m.tflite"), lambda *_: None)
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.hint and "\n" not in caught.value.message


def test_random_damage_is_a_message_or_a_model(tmp_path: Path) -> None:
    """Any flipped byte: what onnx and onnxruntime do not find must not become a traceback."""
    random = np.random.default_rng(0)
    nodes = [node("Gemm", ["x", "w"], ["g"], transB=1), node("Softmax", ["g"], ["y"])]
    whole = model(nodes, w=np.eye(4, dtype=np.float32)).SerializeToString()
    path = tmp_path / "m.onnx"
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] = random.integers(256)
        path.write_bytes(damaged)
        try:
            made = front.load(LoadModel("onnx", path, tmp_path / "m.tflite"), lambda *_: None)
        except TinyserveError as error:
            assert error.message
        else:
            assert made.tflite
