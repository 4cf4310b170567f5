"""Front end for PyTorch exported programs (.pt2) through litert-torch, in an environment of its own.

Worker process only. A .pt2 holds a graph and weights; torch.export.load does not run the author's code.
Images become NHWC: a rank-4 input (N, C, H, W) is taken as (N, H, W, C), and so are rank-4 outputs.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tinyserve.convert.frameworks.tensorflow import static_shapes
from tinyserve.convert.worker.loaded import CHANNELS_MOVED, MOVED_LAYOUT, Arrays, Loaded, Say
from tinyserve.convert.worker.messages import LoadModel
from tinyserve.errors import ModelError, UnsupportedError, UsageError

_TO_NHWC = (0, 2, 3, 1)


def load(request: LoadModel, say: Say) -> Loaded:
    """Loads and converts. Raises ModelError, UsageError or UnsupportedError."""
    torch: Any = importlib.import_module("torch")
    program = _program(torch, request.source)
    examples = _examples(torch, program, request)
    say("convert", 0, 0)
    module = program.module()
    litert_torch: Any = importlib.import_module("litert_torch")
    try:
        last, moved, images = _channels_last(litert_torch, module, examples)
        edge = litert_torch.convert(last, tuple(moved))
        with tempfile.TemporaryDirectory(prefix="tinyserve-torch-") as directory:
            path = Path(directory) / "model.tflite"
            edge.export(str(path))
            tflite = path.read_bytes()
    except Exception as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise UnsupportedError(
            f"{request.source}: litert-torch cannot convert this model: {first[:300]}",
            "replace the operator it names, or export to ONNX and convert that",
        ) from error

    def original(sample: Arrays) -> Arrays:
        tensors = [torch.from_numpy(np.ascontiguousarray(value)) for value in sample]
        with torch.no_grad():
            return [output.numpy() for output in _flat(last(*tensors))]

    tools = {name: importlib.metadata.version(name) for name in ("torch", "litert-torch")}
    if not images:
        return Loaded(tflite, "pytorch", tools, original)
    return Loaded(tflite, "pytorch", tools, original, [CHANNELS_MOVED], MOVED_LAYOUT)


def _program(torch: Any, path: Path) -> Any:
    try:
        return torch.export.load(str(path))
    except Exception as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"{path}: torch.export cannot load this file: {first[:300]}",
            "save it with torch.export.save of a current PyTorch; the copy may be cut short",
        ) from error


def _examples(torch: Any, program: Any, request: LoadModel) -> list[Any]:
    """Zeros of the shapes that the model was exported with. Raises UsageError where these aren't static."""
    names = list(program.graph_signature.user_inputs)
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    values = [nodes[name].meta["val"] for name in names]
    declared = [tuple(n if isinstance(n, int) else None for n in value.shape) for value in values]
    for name, shape in zip(names, declared, strict=True):
        if shape and shape[0] not in (None, 1):
            raise UsageError(
                f"{request.source}: input '{name}' was exported for a batch of {shape[0]}",
                "export it with an example whose batch is 1",
            )
    shapes = static_shapes(names, declared, request.input_shapes, str(request.source))
    return [torch.zeros(shape, dtype=value.dtype) for shape, value in zip(shapes, values, strict=True)]


def _channels_last(litert_torch: Any, module: Any, examples: list[Any]) -> tuple[Any, list[Any], list[int]]:
    """The module with images (rank 4) channels last on both sides, its examples, and which inputs moved."""
    images = [index for index, example in enumerate(examples) if example.dim() == 4]
    made = [index for index, output in enumerate(_flat(module(*examples))) if output.dim() == 4]
    if not images and not made:
        return module, examples, []
    moved = [e.permute(*_TO_NHWC).contiguous() if e.dim() == 4 else e for e in examples]
    return litert_torch.to_channel_last_io(module, args=images, outputs=made), moved, images


def _flat(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, tuple | list) else [outputs]
