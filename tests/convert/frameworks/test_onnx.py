# SPDX-License-Identifier: Apache-2.0
"""ONNX models from file to bundle: names, order, layouts, types, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.convert.frameworks.networks.reference import differences, imported
from tinyserve.bundle import Bundle
from tinyserve.convert import Options, convert
from tinyserve.convert.check.debug import diagnose
from tinyserve.errors import DataError, ModelError, UnsupportedError, UsageError


def random(*seed: int) -> np.random.Generator:
    """Numbers that do not depend on which tests ran before."""
    return np.random.default_rng([3, *seed])


def model_of(
    nodes: list[Any],
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    weights: dict[str, Any],
    opset: int = 17,
) -> Any:
    """``inputs`` and ``outputs``: shapes, or pairs of a type and a shape."""

    def infos(values: dict[str, Any]) -> list[Any]:
        pairs = {n: v if isinstance(v[0], int) and isinstance(v[1], tuple) else (TensorProto.FLOAT, v)
                 for n, v in values.items()}  # fmt: skip
        return [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in pairs.items()]

    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", infos(inputs), infos(outputs), stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def weights(*shape: int) -> np.ndarray[Any, Any]:
    return random(*shape).normal(0, 0.4, shape).astype(np.float32)


def saved(model: Any, path: Path) -> Path:
    onnx.save(model, path)
    return path


@pytest.fixture
def cube(tmp_path: Path) -> Path:
    """C = H = W: no shape tells which axis is which."""
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], name="first", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["map"]),
        helper.make_node("Flatten", ["map"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["scores"], transB=1),
    ]
    model = model_of(
        nodes, {"image": ("N", 6, 6, 6)}, {"scores": ("N", 4), "map": ("N", 6, 6, 6)},
        {"w": weights(6, 6, 3, 3), "v": weights(4, 216)},
    )  # fmt: skip
    return saved(model, tmp_path / "cube.onnx")


def data_for(path: Path, **shapes: tuple[int, ...]) -> Path:
    arrays = {
        name: random(*shape).normal(size=(200, *shape)).astype(np.float32) for name, shape in shapes.items()
    }
    np.savez(path, **arrays)
    return path


def check_close(made: Bundle, least_db: float) -> None:
    for output in made.manifest.accuracy:
        assert output.sqnr_db is None or output.sqnr_db > least_db, output


@pytest.mark.slow
@pytest.mark.usefixtures("cold_workers")
def test_layouts_are_known_where_no_shape_tells(cube: Path, tmp_path: Path) -> None:
    made = convert(cube, representative=data_for(tmp_path / "d.npz", image=(6, 6, 6)), output=tmp_path / "b")
    check_close(made, 28)
    assert [info.name for info in made.manifest.outputs] == ["scores", "map"]
    assert made.manifest.inputs[0].form == made.manifest.outputs[1].form == [0, 2, 3, 1]
    assert made.manifest.input_layout == "NHWC (NCHW in the source)"
    kept = convert(
        cube,
        quantize="float32",
        representative=tmp_path / "d.npz",
        output=tmp_path / "c",
        options=Options(keep_layout=True),
    )
    check_close(kept, 100)
    assert kept.manifest.inputs[0].form == []
    assert kept.manifest.input_layout == "NHWC"


@pytest.mark.slow
def test_debug_takes_the_data_that_the_conversion_took(tmp_path: Path) -> None:
    """In the source's layout, though the float original in the bundle has the device's."""
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    model = model_of([node], {"x": (1, 3, 6, 5)}, {"y": (1, 2, 4, 3)}, {"w": weights(2, 3, 3, 3)})
    data = data_for(tmp_path / "d.npz", x=(3, 6, 5))
    made = convert(saved(model, tmp_path / "m.onnx"), representative=data, output=tmp_path / "b")
    found = diagnose(made, data, samples=4)
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 25
    assert found.outcomes[0].tried.score > 0.99


def test_data_of_another_shape_is_refused_with_both_layouts(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    model = model_of([node], {"x": (1, 3, 16, 12)}, {"y": (1, 2, 14, 10)}, {"w": weights(2, 3, 3, 3)})
    source = saved(model, tmp_path / "m.onnx")
    with pytest.raises(DataError, match=r"takes \(N, 3, 16, 12\) as your model does, or \(N, 16, 12, 3\)"):
        convert(source, representative=data_for(tmp_path / "d.npz", x=(3, 12, 16)), output=tmp_path / "b")


@pytest.mark.slow
def test_a_sequence_of_tokens_ends_in_a_class(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("Transpose", ["e"], ["t"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["t", "gw", "gr", "gb"], ["", "h"], hidden_size=8, linear_before_reset=1),
        helper.make_node("Squeeze", ["h", "axes"], ["s"]),
        helper.make_node("Gemm", ["s", "v"], ["scores"], transB=1),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    constants = {
        "table": weights(11, 6), "gw": weights(1, 24, 6), "gr": weights(1, 24, 8), "gb": weights(1, 48),
        "axes": np.array([0]), "v": weights(5, 8),
    }  # fmt: skip
    model = model_of(
        nodes,
        {"ids": (TensorProto.INT64, (1, 7))},
        {"scores": (1, 5), "label": (TensorProto.INT64, (1,))},
        constants,
    )
    source = saved(model, tmp_path / "tokens.onnx")
    np.savez(tmp_path / "d.npz", ids=random().integers(0, 11, (60, 7)))
    made = convert(source, representative=tmp_path / "d.npz", output=tmp_path / "b")
    assert made.manifest.inputs[0].dtype == "int32"
    assert [(info.name, info.dtype) for info in made.manifest.outputs] == [
        ("scores", "int8"),
        ("label", "int32"),
    ]
    assert made.manifest.accuracy[0].sqnr_db is not None and made.manifest.accuracy[0].sqnr_db > 25


@pytest.mark.slow
def test_tokens_that_are_given_as_floats_keep_their_numbers(tmp_path: Path) -> None:
    """Quantized to 8 bits there would be 256 of them, for a table of 900 rows."""
    nodes = [
        helper.make_node("Cast", ["tokens"], ["ids"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("ReduceMean", ["e"], ["m"], axes=[1], keepdims=0),
        helper.make_node("Gemm", ["m", "v"], ["scores"], transB=1),
    ]
    model = model_of(
        nodes, {"tokens": (1, 7)}, {"scores": (1, 5)}, {"table": weights(900, 6), "v": weights(5, 6)}
    )
    source = saved(model, tmp_path / "tokens.onnx")
    np.savez(tmp_path / "d.npz", tokens=random().integers(0, 900, (60, 7)).astype(np.float32))
    made = convert(source, representative=tmp_path / "d.npz", output=tmp_path / "b")
    assert made.manifest.inputs[0].dtype == "int32"
    assert made.manifest.accuracy[0].sqnr_db is not None and made.manifest.accuracy[0].sqnr_db > 25


def test_half_precision_and_bytes_are_taken_as_floats(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["pixels"], ["x"], to=TensorProto.FLOAT16),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    model = model_of(
        nodes, {"pixels": (TensorProto.UINT8, (1, 3, 5, 5))}, {"y": (TensorProto.FLOAT16, (1, 2, 3, 3))},
        {"w": weights(2, 3, 3, 3).astype(np.float16)},
    )  # fmt: skip
    made, _ = imported(model, tmp_path)
    assert b"float16" not in made.tflite and made.input_dtypes == ["uint8"]
    assert all(one.is_right for one in differences(model, tmp_path))


def test_operators_are_named_by_node_and_by_module(tmp_path: Path) -> None:
    node = helper.make_node("NonMaxSuppression", ["b", "s"], ["y"], name="keep_best")
    model = model_of([node], {"b": (1, 6, 4), "s": (1, 2, 6)}, {"y": (TensorProto.INT64, (1, 3))}, {})
    with pytest.raises(UnsupportedError, match="NonMaxSuppression 'keep_best'"):
        imported(model, tmp_path)
    entry = model.graph.node[0].metadata_props.add()
    entry.key, entry.value = "pkg.torch.onnx.name_scopes", "['', 'head', 'head.nms', 'nms_3']"
    with pytest.raises(UnsupportedError, match=r"NonMaxSuppression 'head\.nms\.nms_3'"):
        imported(model, tmp_path)


@pytest.mark.parametrize(
    ("op", "domain", "message"),
    [
        ("QLinearConv", "", "integer operators"),
        ("MatMulInteger", "", "QDQ"),
        ("FancyRelu", "com.acme", "com.acme"),
    ],
)
def test_operators_that_nothing_here_knows(tmp_path: Path, op: str, domain: str, message: str) -> None:
    arity = {"QLinearConv": 8, "MatMulInteger": 2, "FancyRelu": 1}[op]
    names = [f"i{k}" for k in range(arity)]
    model = model_of(
        [helper.make_node(op, names, ["y"], domain=domain)], dict.fromkeys(names, (1, 2)), {"y": (1, 2)}, {}
    )
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    for value in model.graph.input:
        value.type.tensor_type.elem_type = TensorProto.UINT8 if not domain else TensorProto.FLOAT
    with pytest.raises((UnsupportedError, ModelError)) as caught:
        imported(model, tmp_path)
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_another_batch_open_axes_and_damage(cube: Path, tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    batch = saved(model_of([node], {"x": (8, 3, 4, 4)}, {"y": (8, 3, 4, 4)}, {}), tmp_path / "batch.onnx")
    with pytest.raises(UnsupportedError, match="batch of 8"):
        convert(batch, output=tmp_path / "b", quantize="float32")
    opened = saved(
        model_of([node], {"x": ("N", 3, "H", 4)}, {"y": ("N", 3, "H", 4)}, {}), tmp_path / "open.onnx"
    )
    with pytest.raises(UsageError, match="open dimensions") as caught:
        convert(opened, output=tmp_path / "b", quantize="float32")
    assert "--input-shape 3xNx4" in caught.value.hint
    cube.write_bytes(cube.read_bytes()[:200])
    with pytest.raises(ModelError, match=r"cube\.onnx: not a sound ONNX model"):
        convert(cube, output=tmp_path / "b", quantize="float32")
