"""Front end for ONNX through onnx2tf, in an environment of its own. Worker process only.

onnx2tf makes images NHWC: a rank-4 input (N, C, H, W) becomes (N, H, W, C), and so do rank-4 outputs.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.compiler.graph import reader
from tinyserve.convert.frameworks.tensorflow import static_shapes
from tinyserve.convert.worker.loaded import CHANNELS_MOVED, MOVED_LAYOUT, Arrays, Loaded, Say
from tinyserve.convert.worker.messages import LoadModel
from tinyserve.errors import ModelError, UnsupportedError

_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def load(request: LoadModel, say: Say) -> Loaded:
    """Loads and checks the file, fixes the input shapes, converts. Raises ModelError or UsageError."""
    onnx = importlib.import_module("onnx")
    model = _checked(onnx, request.source)
    constants = {initializer.name for initializer in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    names = [value.name for value in inputs]
    shapes = static_shapes(
        names, [_shape(value) for value in inputs], request.input_shapes, str(request.source)
    )
    _check_operators(onnx, model, request.source)
    say("convert", 0, 0)
    tflite = _convert(request.source, dict(zip(names, shapes, strict=True)))
    layout, notes = "NHWC", list[str]()
    if any(len(shape) == 4 for shape in shapes):
        layout, notes = MOVED_LAYOUT, [CHANNELS_MOVED]
    tools = {name: importlib.metadata.version(name) for name in ("onnx", "onnx2tf", "onnxruntime")}
    return Loaded(tflite, "onnx", tools, _original(request.source, tflite, names), notes, layout)


def _checked(onnx: Any, path: Path) -> Any:
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"{path}: not a sound ONNX model: {first[:300]}",
            "the file may be cut short, or its external data is not beside it: export it again",
        ) from error
    return model


def _check_operators(onnx: Any, model: Any, path: Path) -> None:
    """Raises UnsupportedError for operators of another domain than ONNX's own, and for a newer opset than
    the packages here know."""
    own = ("", "ai.onnx")
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in own})
    if foreign:
        raise UnsupportedError(
            f"{path}: has operators that are not of ONNX itself: {', '.join(foreign)}",
            "export it without custom or runtime-specific operators (no fusion by onnxruntime)",
        )
    newest = onnx.defs.onnx_opset_version()
    found = max((entry.version for entry in model.opset_import if entry.domain in own), default=0)
    if found > newest:
        raise UnsupportedError(
            f"{path}: operator set {found}, the newest that is known here is {newest}",
            "export it with opset_version=17",
        )


def _shape(value: Any) -> tuple[int | None, ...]:
    """An input's shape, None for open dimensions."""
    dimensions = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dimensions)


def _convert(path: Path, shapes: dict[str, tuple[int, ...]]) -> bytes:
    onnx2tf = importlib.import_module("onnx2tf")
    # For inputs like images it would fetch sample pictures from the network to compare with.
    inner: Any = importlib.import_module("onnx2tf.onnx2tf")
    inner.download_test_image_data = _sample_images
    with tempfile.TemporaryDirectory(prefix="tinyserve-onnx-") as directory:
        try:
            onnx2tf.convert(
                input_onnx_file_path=str(path),
                output_folder_path=directory,
                overwrite_input_shape=[f"{n}:{','.join(map(str, shape))}" for n, shape in shapes.items()],
                keep_ncw_or_nchw_or_ncdhw_input_names=[n for n, s in shapes.items() if len(s) == 3] or None,
                copy_onnx_input_output_names_to_tflite=True,
                non_verbose=True,
            )
        except (Exception, SystemExit) as error:
            first = (str(error).strip().splitlines() or [repr(error)])[0]
            raise UnsupportedError(
                f"{path}: onnx2tf cannot convert this model: {first[:300]}",
                "simplify the model before exporting it (opset 17 and static shapes convert best)",
            ) from error
        found = sorted(Path(directory).glob("*_float32.tflite"))
        if not found:
            raise UnsupportedError(
                f"{path}: onnx2tf made no .tflite of this model", "it may use operators that TFLite lacks"
            )
        return found[0].read_bytes()


def _sample_images() -> npt.NDArray[np.float32]:
    """Stands in for the 20 pictures of 128x128 pixels that onnx2tf compares with."""
    return np.random.default_rng(0).uniform(0, 1, (20, 128, 128, 3)).astype(np.float32)


def _original(path: Path, tflite: bytes, names: list[str]) -> Any:
    """Runs the ONNX model on samples in the .tflite's order and layout."""
    session = importlib.import_module("onnxruntime").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    graph = reader.read(tflite).main
    given = {value.name: value for value in session.get_inputs()}
    feed = graph.input_names if set(graph.input_names) == set(names) else names
    made = [value.name for value in session.get_outputs()]
    order = [made.index(n) for n in graph.output_names] if set(graph.output_names) == set(made) else None

    def run(sample: Arrays) -> Arrays:
        inputs = {
            name: _to_source(value, len(given[name].shape)) for name, value in zip(feed, sample, strict=True)
        }
        outputs = session.run(None, inputs)
        ordered = outputs if order is None else [outputs[i] for i in order]
        return [_to_tflite(o, tensor.shape) for o, tensor in zip(ordered, graph.outputs, strict=True)]

    return run


def _to_source(value: npt.NDArray[Any], rank: int) -> npt.NDArray[Any]:
    return np.ascontiguousarray(value.transpose(_TO_NCHW)) if rank == 4 else value


def _to_tflite(output: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    moved = output.ndim == 4 and output.shape != shape
    return np.ascontiguousarray(output.transpose(_TO_NHWC)) if moved else output
