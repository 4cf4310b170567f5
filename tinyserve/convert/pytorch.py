"""Front end for PyTorch exported programs (.pt2) through litert-torch, in an environment of its own.

Worker process only. A .pt2 holds a graph and weights; torch.export.load does not run the author's code.
Images stay as the model takes them, channels first; litert-torch transposes inside the model where needed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tinyserve.convert.messages import LoadModel
from tinyserve.convert.worker import Arrays, Loaded, Say
from tinyserve.errors import ModelError, UnsupportedError, UsageError


def load(request: LoadModel, say: Say) -> Loaded:
    """Loads and converts. Raises ModelError, UsageError or UnsupportedError."""
    torch: Any = importlib.import_module("torch")
    program = _program(torch, request.source)
    examples = _examples(torch, program, request)
    say("convert", 0, 0)
    module = program.module()
    litert_torch: Any = importlib.import_module("litert_torch")
    try:
        edge = litert_torch.convert(module, examples)
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
        with torch.no_grad():
            outputs = module(*(torch.from_numpy(np.ascontiguousarray(value)) for value in sample))
        flat = outputs if isinstance(outputs, tuple | list) else [outputs]
        return [output.numpy() for output in flat]

    tools = {name: importlib.metadata.version(name) for name in ("torch", "litert-torch")}
    layout = "NCHW" if any(example.dim() == 4 for example in examples) else "NHWC"
    return Loaded(tflite, "pytorch", tools, original, input_layout=layout)


def _program(torch: Any, path: Path) -> Any:
    try:
        return torch.export.load(str(path))
    except Exception as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"{path}: torch.export cannot load this file: {first[:300]}",
            "save it with torch.export.save of a current PyTorch; the copy may be cut short",
        ) from error


def _examples(torch: Any, program: Any, request: LoadModel) -> tuple[Any, ...]:
    """Zeros of the shapes that the model was exported with. Raises UsageError where these aren't static."""
    names = list(program.graph_signature.user_inputs)
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    examples = []
    for index, name in enumerate(names):
        value = nodes[name].meta["val"]
        shape = [extent if isinstance(extent, int) else None for extent in value.shape]
        if request.input_shapes:
            shape = list(request.input_shapes[index])
        elif shape and shape[0] is None:
            shape[0] = 1
        if None in shape:
            raise UsageError(
                f"{request.source}: input '{name}' was exported with open dimensions {shape}",
                "give --input-shape with numbers, batch 1 first",
            )
        if shape and shape[0] != 1:
            raise UsageError(
                f"{request.source}: input '{name}' was exported for a batch of {shape[0]}",
                "export it with an example whose batch is 1",
            )
        examples.append(torch.zeros(shape, dtype=value.dtype))
    return tuple(examples)
