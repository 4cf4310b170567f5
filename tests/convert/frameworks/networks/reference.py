# SPDX-License-Identifier: Apache-2.0
"""What the import makes of an ONNX model, in LiteRT, beside onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tinyserve.bundle import TensorInfo
from tinyserve.convert.check.stage import OutputDifference, difference
from tinyserve.convert.frameworks.onnx_import import source, trace
from tinyserve.convert.frameworks.onnx_import.importer import Imported, Importer
from tinyserve.convert.worker import runtimes


def imported(model: Any, directory: Path, *, moved: bool = True) -> tuple[Imported, source.OnnxSource]:
    """The model as .tflite."""
    path = directory / "model.onnx"
    onnx.save(model, path)
    read = source.read(path, [])
    return Importer(read, trace.trace(read), moved).run(), read


def differences(model: Any, directory: Path, *, moved: bool = True) -> list[OutputDifference]:
    """Per output, for random inputs."""
    made, read = imported(model, directory, moved=moved)
    inputs = trace.sample_inputs(read)
    wanted = trace.session_of(read.model).run(read.outputs, inputs)
    given = [np.ascontiguousarray(inputs[name].transpose(form)) for name, form in made.inputs]
    got = runtimes.runner("litert", made.tflite)(given)
    return [
        difference(TensorInfo(name, [], a.dtype.name), a.transpose(form), b)
        for (name, form), a, b in zip(made.outputs, wanted, got, strict=True)
    ]
