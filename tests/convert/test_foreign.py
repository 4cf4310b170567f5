"""Keras 2, ONNX and PyTorch through their own environments, with real models made there.

ONNX and Keras 2 are installed when they are not yet (minutes, and a package index); PyTorch, which is several
gigabytes, is tested where `tinyserve setup --frontend pytorch` has been run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tinyserve.bundle import Bundle
from tinyserve.convert import Options, convert
from tinyserve.convert.frameworks import provision
from tinyserve.errors import ModelError, ToolError, UnsupportedError, UsageError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TFLM = Options(engine="tflm")  # not about what the compiler has

ONNX = """
    import sys, numpy as np, onnx
    from onnx import TensorProto, helper, numpy_helper
    r = np.random.default_rng(0)
    weights = {"w": r.normal(0, 0.3, (8, 3, 3, 3)), "b": r.normal(size=8), "v": r.normal(size=(4, 128))}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, sys.argv[1])
"""

BAD_ONNX = """
    import sys, onnx
    model = onnx.load(sys.argv[1])
    if sys.argv[2] == "newer":
        model.opset_import[0].version = 99
    else:
        model.graph.node[1].domain, model.graph.node[1].op_type = "com.acme", "FancyRelu"
        model.opset_import.append(onnx.helper.make_opsetid("com.acme", 1))
    onnx.save(model, sys.argv[1])
"""

PYTORCH = """
    import sys, torch
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
    model = torch.nn.Sequential(conv, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(512, 5)).eval()
    torch.export.save(torch.export.export(model, (torch.zeros(1, 3, 16, 16),)), sys.argv[1])
"""


def front_end(name: str) -> Path:
    """The front end's directory; installed where it is not, skipped where that can't be."""
    if name == "pytorch" and provision.find(name) is None:
        pytest.skip("tinyserve setup --frontend pytorch has not been run")
    try:
        return provision.provision(name)
    except ToolError as error:
        pytest.skip(f"cannot be installed here: {error.message.splitlines()[-1]}")


def made_in(name: str, script: str, path: Path, *arguments: str) -> Path:
    """A model made by ``script`` in the front end's environment."""
    interpreter = str(provision.python(front_end(name)))
    command = [interpreter, "-c", textwrap.dedent(script), str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def channels_first(tmp_path: Path) -> Path:
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(50, 3, 16, 16)).astype(np.float32))
    return tmp_path / "d.npz"


def check_close(made: Bundle, framework: str) -> None:
    assert made.manifest.source.framework == framework
    assert made.manifest.inputs[0].dtype == "int8"
    assert made.manifest.outputs[0].dtype == "int8"
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 25
    assert not any("float32" in note for note in made.manifest.notes)


def test_onnx_answers_as_onnxruntime_does(tmp_path: Path, channels_first: Path) -> None:
    source = made_in("onnx", ONNX, tmp_path / "m.onnx")
    made = convert(
        source, representative=channels_first, output=tmp_path / "b", options=Options(engine="tflm")
    )
    check_close(made, "onnx")
    assert made.manifest.inputs[0].shape == [1, 16, 16, 3]
    assert any("channels first" in note for note in made.manifest.notes)
    assert made.manifest.input_layout == "NHWC (NCHW in the source)"
    source.write_bytes(source.read_bytes()[:300])
    with pytest.raises(ModelError, match=r"m\.onnx"):
        convert(source, representative=channels_first, output=tmp_path / "b")


@pytest.mark.parametrize(
    ("how", "message"), [("newer", r"operator set 99"), ("foreign", r"com\.acme\.FancyRelu")]
)
def test_onnx_operators_that_nothing_here_knows(tmp_path: Path, how: str, message: str) -> None:
    source = made_in("onnx", ONNX, tmp_path / "m.onnx")
    made_in("onnx", BAD_ONNX, source, how)
    with pytest.raises(UnsupportedError, match=message):
        convert(source, representative="random", output=tmp_path / "b")


def test_pytorch_answers_as_torch_does(tmp_path: Path, channels_first: Path) -> None:
    source = made_in("pytorch", PYTORCH, tmp_path / "m.pt2")
    made = convert(
        source, representative=channels_first, output=tmp_path / "b", options=Options(engine="tflm")
    )
    check_close(made, "pytorch")
    assert made.manifest.inputs[0].shape == [1, 16, 16, 3]
    assert made.manifest.input_layout == "NHWC (NCHW in the source)"
    with pytest.raises(UsageError, match="input"):
        convert(source, output=tmp_path / "c", options=Options(input_shapes=[(2, 3, 16, 16)]))


def test_a_torch_pickle_is_refused(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02.")
    with pytest.raises(ModelError, match="run code on loading") as caught:
        convert(tmp_path / "m.pt", output=tmp_path / "b")
    assert "torch.export.save" in caught.value.hint


@pytest.mark.models
def test_a_keras_2_file_that_keras_3_refuses(tmp_path: Path) -> None:
    directory = os.environ.get("TINYSERVE_MODELS")
    if not directory:
        pytest.skip("TINYSERVE_MODELS is not set")
    front_end("keras2")
    shutil.copy(Path(directory) / "vww_96.h5", tmp_path / "vww.h5")
    values = np.random.default_rng(0).uniform(0, 1, (20, 96, 96, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=values)
    made = convert(tmp_path / "vww.h5", representative=tmp_path / "d.npz", output=tmp_path / "b")
    assert made.manifest.mlperf_id == "vww01"
    assert "tf-keras" in made.manifest.tools
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 20
