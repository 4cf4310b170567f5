# SPDX-License-Identifier: Apache-2.0
"""The .tflite reader: what is in the file arrives in the graph, what contradicts itself is a ModelError."""

from __future__ import annotations

import hashlib
import zipfile
from io import BytesIO

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.flatbuffer_builder import GraphBuilder, ModelBuilder
from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.graph.types import DType
from tinyserve.errors import ModelError, UnsupportedError


def small(model: ModelBuilder | None = None) -> tuple[ModelBuilder, GraphBuilder]:
    """A model with one CONV_2D: tensors 0 input, 1 weights, 2 bias, 3 output."""
    model = model or ModelBuilder("small")
    graph = model.graph()
    x = graph.input((1, 4, 4, 2), "int8", 0.5, -3, name="x")
    w = graph.constant(np.arange(-8, 8, dtype=np.int8).reshape(4, 2, 1, 2), scale=[0.1, 0.2, 0.3, 0.4])
    b = graph.constant(np.arange(4, dtype=np.int32), scale=[0.05, 0.1, 0.15, 0.2])
    y = graph.tensor((1, 3, 4, 4), "int8", 0.25, 7, name="y")
    graph.op("CONV_2D", [x, w, b], [y], padding="VALID", stride_w=1, stride_h=2, activation="RELU6")
    graph.output(y)
    return model, graph


def rebuilt(change) -> bytes:
    """The small model, changed as the schema's object tree."""
    model, _ = small()
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model.build(), 0))
    change(tree)
    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_tensors_operators_and_options() -> None:
    data = small()[0].build()
    model = read(data)
    (operator,) = model.main.nodes
    assert operator.name == "CONV_2D" and not operator.custom and operator.index == 0
    x, w, b = operator.inputs
    assert model.main.inputs == [x] and model.main.outputs == operator.outputs
    assert (x.shape, x.dtype, x.scale, x.zero_point) == ((1, 4, 4, 2), DType.INT8, 0.5, -3)
    assert w.quantization.per_channel and w.quantization.axis == 0
    assert w.quantization.scales == tuple(np.float32([0.1, 0.2, 0.3, 0.4]).tolist())
    assert np.array_equal(w.data, np.arange(-8, 8, dtype=np.int8).reshape(4, 2, 1, 2))
    assert b.data.dtype == np.int32 and b.data.tolist() == [0, 1, 2, 3]
    options = operator.options
    assert (options.int8("padding"), options.int32("stride_w"), options.int32("stride_h")) == (1, 1, 2)
    assert options.int8("fused_activation_function") == 3
    assert options.int32("dilation_w_factor", 1) == 1
    assert model.sha256 == hashlib.sha256(data).hexdigest()
    assert model.description == "small"


def test_a_dynamic_batch_in_the_signature_leaves_the_static_shape() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "float32", signature=(-1, 4))
    y = graph.tensor((1, 4), "float32")
    graph.op("RELU", [x], [y])
    graph.output(y)
    assert read(model.build()).main.inputs[0].shape == (1, 4)


@pytest.mark.parametrize("count", [1, 6, 7])
def test_int4_constants_are_unpacked(count: int) -> None:
    values = np.resize(np.arange(-8, 8, dtype=np.int8), count)
    model, graph = small()
    graph.constant(values, 0.5, dtype="int4", name="packed")
    tensor = read(model.build()).main.tensors[-1]
    assert tensor.dtype is DType.INT4 and tensor.data.tolist() == values.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "int16", "uint8", "uint32", "bool"])
def test_constants_of_every_type(dtype: str) -> None:
    values = np.array([[0, 1, 2], [3, 4, 5]], dtype=dtype)
    model, graph = small()
    graph.constant(values)
    tensor = read(model.build()).main.tensors[-1]
    assert tensor.data.dtype == values.dtype and np.array_equal(tensor.data, values)


def test_optional_inputs_variables_and_custom_operators() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "int8", 0.5)
    state = graph.tensor((1, 4), "int16", 0.25, variable=True)
    y = graph.tensor((1, 4), "int8", 0.5)
    graph.op("MyOperator", [x, None, state], [y], custom_options=b"\1\2\3", version=3)
    graph.output(y)
    (operator,) = read(model.build()).main.nodes
    assert (operator.name, operator.custom, operator.version) == ("MyOperator", True, 3)
    assert operator.inputs[1] is None
    assert operator.inputs[2].is_variable and not operator.inputs[2].is_constant
    assert operator.options.custom == b"\1\2\3"


def test_operator_codes_beyond_127_and_old_files_with_the_short_code_only() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((2,), "float32")
    y = graph.tensor((2,), "float32")
    graph.op("GELU", [x], [y], approximate=True)
    graph.output(y)
    assert read(model.build()).main.nodes[0].name == "GELU"

    def old(tree: schema.ModelT) -> None:
        tree.operatorCodes[0].builtinCode = 0

    assert read(rebuilt(old)).main.nodes[0].name == "CONV_2D"


def test_signature_names_and_metadata() -> None:
    builder = ModelBuilder()
    inner = builder.graph()
    a = inner.input((2,), "float32", name="serving_a:0")
    b = inner.tensor((2,), "float32", name="PartitionedCall:0")
    inner.op("RELU", [a], [b])
    inner.output(b)
    builder.signature("serving_default", {"image": a}, {"scores": b})
    builder.metadata("note", b"hello")
    model_read = read(builder.build())
    assert model_read.main.input_names == ["image"] and model_read.main.output_names == ["scores"]
    assert model_read.metadata == {"note": b"hello"}
    assert read(small()[0].build()).main.input_names == ["x"]


def test_buffers_stored_behind_the_flatbuffer() -> None:
    weights = bytes(range(16))

    def outside(tree: schema.ModelT) -> None:
        buffer = tree.buffers[tree.subgraphs[0].tensors[1].buffer]
        buffer.data, buffer.offset, buffer.size = None, 1 << 20, 16

    data = rebuilt(outside)
    padded = data.ljust(1 << 20, b"\0") + weights
    assert read(padded).main.tensors[1].data.tobytes() == weights
    with pytest.raises(ModelError, match="outside the file"):
        read(padded[:-1])


def test_constants_without_elements_are_constants() -> None:
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 1), "float32")
    y = graph.tensor((), "float32")
    graph.op("RESHAPE", [x, graph.constant(np.zeros(0, np.int32))], [y])
    graph.output(y)
    shape = read(model.build()).main.nodes[0].inputs[1]
    assert shape.is_constant and shape.data.shape == (0,)


def test_missing_zero_points_are_zero() -> None:
    def without(tree: schema.ModelT) -> None:
        tree.subgraphs[0].tensors[1].quantization.zeroPoint = None

    assert read(rebuilt(without)).main.tensors[1].quantization.zero_points == (0, 0, 0, 0)


def _set(path: str, value):
    """A change of one attribute of the first subgraph's parts, by a dotted path."""

    def change(tree: schema.ModelT) -> None:
        target = tree
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step)] if step.isdigit() else getattr(target, step)
        setattr(target, last, value)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("version", 2), "schema version 2"),
        (_set("subgraphs", []), "no subgraph"),
        (_set("subgraphs.0.inputs", [77]), "inputs: tensor 77 of 4"),
        (_set("subgraphs.0.outputs", [-1]), "outputs: tensor -1 of 4"),
        (_set("subgraphs.0.operators.0.inputs", [0, 1, -2]), "tensor -2 of 4"),
        (_set("subgraphs.0.operators.0.opcodeIndex", 5), "operator code 5 of 1"),
        (_set("subgraphs.0.operators.0.inputs", [3, 1, 2]), "before anything wrote it"),
        (_set("subgraphs.0.operators.0.outputs", [1]), "has a value already"),
        (_set("subgraphs.0.operators.0.outputs", [0]), "has a value already"),
        (_set("subgraphs.0.operators", []), "nothing writes the output"),
        (_set("subgraphs.0.inputs", [0, 0]), "listed twice"),
        (_set("subgraphs.0.inputs", [0, 1]), "is a constant"),
        (_set("subgraphs.0.tensors.0.shape", [-1, 4, 4, 2]), "not static"),
        (_set("subgraphs.0.tensors.0.shape", [1] * 9), "rank 9"),
        (_set("subgraphs.0.tensors.0.shape", [65536, 65536]), "too many elements"),
        (_set("subgraphs.0.tensors.0.shape", [0, 2**31 - 1, 2**31 - 1]), "too many elements"),
        (_set("subgraphs.0.tensors.0.type", 99), "unknown element type 99"),
        (_set("subgraphs.0.tensors.0.buffer", 99), "buffer 99 of"),
        (_set("subgraphs.0.tensors.1.shape", [4, 2, 1, 3]), "needs 24"),
        (_set("operatorCodes.0.builtinCode", -4), None),
        (_set("subgraphs.0.operators.0.builtinOptionsType", 5), "options of another operator"),
    ],
)
def test_contradictions_are_named(change, message: str | None) -> None:
    data = rebuilt(change)
    if message is None:  # the short code (3) still says CONV_2D
        assert read(data).main.nodes[0].name == "CONV_2D"
        return
    with pytest.raises(ModelError, match=message) as caught:
        read(data)
    assert caught.value.hint


def test_sparse_blockwise_and_external_tensors_are_named_together() -> None:
    def change(tree: schema.ModelT) -> None:
        tensors = tree.subgraphs[0].tensors
        tensors[1].sparsity = schema.SparsityParametersT()
        tensors[2].externalBuffer = 1
        tensors[3].quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
        tensors[3].quantization.details = schema.BlockwiseQuantizationT()

    with pytest.raises(UnsupportedError) as caught:
        read(rebuilt(change))
    assert all(word in caught.value.message for word in ("sparse", "external", "blockwise"))


def test_subgraphs_that_run_themselves_or_do_not_exist() -> None:
    def control_flow(called: int) -> bytes:
        model = ModelBuilder()
        graph = model.graph()
        x = graph.input((2,), "float32")
        flag = graph.input((), "bool")
        y = graph.tensor((2,), "float32")
        graph.op("IF", [flag, x], [y], then_subgraph_index=1, else_subgraph_index=called)
        graph.output(y)
        inner = model.graph()
        a = inner.input((2,), "float32")
        inner.output(a)
        return model.build()

    assert len(read(control_flow(1)).graphs) == 2
    with pytest.raises(ModelError, match="runs itself"):
        read(control_flow(0))
    with pytest.raises(ModelError, match="subgraph 7 of 2"):
        read(control_flow(7))


def test_every_truncation_is_refused_or_read() -> None:
    data = small()[0].build()
    refused = 0
    for length in range(len(data)):
        try:
            read(data[:length])
        except ModelError:
            refused += 1
    assert refused > 0.9 * len(data)


def keras_zip() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"\x89HDF")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (keras_zip(), "Keras 3"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (b"\x08\x07\x12\x07pytorch" + bytes(50), "ONNX"),
        (b"\x08\x01\x12\xff" + bytes(50), "saved_model.pb"),
        (b"\x93NUMPY\x01\x00" + bytes(50), "NumPy"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"const unsigned char g_model[] = {0x1c", "C source"),
        (b'{"format": 1}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"hello world, this is text", "text"),
        (bytes(range(256)), "neither"),
        (b"\x1c\0\0\0TFL2" + bytes(50), "schema version"),
        (b"\x1c\0\0\0TFL3", "ends after 8 bytes"),
    ],
)
def test_other_files_are_called_by_their_name(data: bytes, kind: str) -> None:
    with pytest.raises(ModelError, match=kind) as caught:
        read(data)
    assert caught.value.hint
