# SPDX-License-Identifier: Apache-2.0
"""QDQ models, as onnxruntime's own quantizer writes them, keep their scales and differ by single steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization as q

from tests.convert.frameworks.networks.reference import imported
from tinyserve.bundle import dequantize, quantize
from tinyserve.compiler.passes import optimize
from tinyserve.compiler.passes.load import load
from tinyserve.convert import convert
from tinyserve.convert.frameworks.onnx_import import trace
from tinyserve.convert.tflite import facts
from tinyserve.convert.worker import runtimes
from tinyserve.errors import UnsupportedError

_SHAPE = (1, 3, 10, 12)


def float_model(path: Path, gate: str = "") -> Path:
    random = np.random.default_rng(5)
    weights = {
        "w1": random.normal(0, 0.4, (6, 3, 3, 3)), "b1": random.normal(0, 0.2, 6),
        "w2": random.normal(0, 0.03, (6, 1, 3, 3)),  # a small range, first of those that are joined
        "b2": random.normal(0, 0.2, 6), "v": random.normal(0, 0.5, (5, 12)), "c": random.normal(0, 0.2, 5),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "w2", "b2"], ["d"], pads=[1] * 4, group=6),
        helper.make_node("Add", ["r", "d"], ["s"]),
        helper.make_node("Concat", ["d", "s"], ["j"], axis=1),
        helper.make_node("MaxPool", ["j"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["m"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "v", "c"], ["z"], transB=1),
        *_last(gate),
    ]
    stored = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    infos = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", _SHAPE), ("y", (1, 5)))
    ]
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def _last(gate: str) -> list[Any]:
    if not gate:
        return [helper.make_node("Sigmoid", ["z"], ["y"])]
    return [helper.make_node(gate, ["z"], ["gate"]), helper.make_node("Mul", ["z", "gate"], ["y"])]


class Samples(q.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        random = np.random.default_rng(6)
        self.arrays = [random.normal(size=_SHAPE).astype(np.float32) for _ in range(16)]
        self.left = iter(self.arrays)

    def get_next(self) -> dict[str, Any] | None:
        array = next(self.left, None)
        return None if array is None else {"x": array}


def quantized(directory: Path, *, gate: str = "", **options: Any) -> Any:
    source, target = float_model(directory / "float.onnx", gate), directory / "qdq.onnx"
    q.quantize_static(str(source), str(target), Samples(), quant_format=q.QuantFormat.QDQ, **options)
    return onnx.load(target)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", ["QInt8", "QUInt8"])
def test_scales_are_kept_and_outputs_are_within_two_steps(
    tmp_path: Path, kind: str, per_channel: bool
) -> None:
    activations = getattr(q.QuantType, kind)
    model = quantized(
        tmp_path, activation_type=activations, weight_type=q.QuantType.QInt8, per_channel=per_channel
    )
    made, read = imported(model, tmp_path)
    inspected = facts.inspect(made.tflite, "qdq")
    assert inspected.scheme == "int8"
    assert facts.left_in_float(inspected.model) == []
    run, session = runtimes.runner("litert", made.tflite), trace.session_of(read.model)
    for array in Samples().arrays:
        (wanted,) = session.run(read.outputs, {"x": array})
        (got,) = run([quantize(array.transpose(0, 2, 3, 1), inspected.inputs[0])])
        steps = np.abs(dequantize(got, inspected.outputs[0]) - wanted) / inspected.outputs[0].scale
        assert steps.max() < 2.01


def test_the_report_compares_real_units_on_all_samples(tmp_path: Path) -> None:
    """With more data than are held out: the others count, too, and are the original's, not the file's own."""
    int8, random = q.QuantType.QInt8, np.random.default_rng(7)
    onnx.save(quantized(tmp_path, activation_type=int8, weight_type=int8), tmp_path / "m.onnx")
    np.savez(tmp_path / "d.npz", x=random.normal(size=(80, *_SHAPE[1:])).astype(np.float32))
    made = convert(tmp_path / "m.onnx", representative=tmp_path / "d.npz", output=tmp_path / "b")
    (output,) = made.manifest.accuracy
    assert made.manifest.compared > made.manifest.samples
    assert output.sqnr_db is None or output.sqnr_db > 25
    assert output.max_error <= 2.01 * made.manifest.outputs[0].scale
    assert output.sqnr_db is not None or output.max_error == 0


@pytest.mark.parametrize("gate", ["HardSigmoid", "Softplus", "Elu", "Softsign"])
def test_functions_that_exporters_leave_in_floats_become_tables(gate: str, tmp_path: Path) -> None:
    """The gates of MobileNetV3. A step of z is up to three of z * gate(z)."""
    int8 = q.QuantType.QInt8
    made, read = imported(
        quantized(
            tmp_path, gate=gate, activation_type=int8, weight_type=int8,
        ),
        tmp_path,
    )  # fmt: skip
    model = load(made.tflite, ())
    optimize(model)
    inspected = facts.inspect(made.tflite, "qdq")
    run, session = runtimes.runner("litert", made.tflite), trace.session_of(read.model)
    taken, given = inspected.inputs[0], inspected.outputs[0]
    for array in Samples().arrays[:4]:
        (wanted,) = session.run(read.outputs, {"x": array})
        (got,) = run([quantize(array.transpose(0, 2, 3, 1), taken)])
        np.testing.assert_allclose(dequantize(got, given), wanted, atol=4.01 * float(given.scale or 0))
    assert given.scale
    assert facts.left_in_float(model) == []


def test_a_model_that_is_quantized_in_part_is_refused(tmp_path: Path) -> None:
    model = quantized(
        tmp_path,
        activation_type=q.QuantType.QInt8,
        weight_type=q.QuantType.QInt8,
        op_types_to_quantize=["Gemm"],
    )
    with pytest.raises(UnsupportedError, match="quantized in part"):
        imported(model, tmp_path)


def test_integer_operators_are_refused_with_what_to_export(tmp_path: Path) -> None:
    source, target = float_model(tmp_path / "float.onnx"), tmp_path / "dynamic.onnx"
    q.quantize_dynamic(str(source), str(target))
    with pytest.raises(UnsupportedError, match="integer operators") as caught:
        imported(onnx.load(target), tmp_path)
    assert "QDQ" in caught.value.hint
