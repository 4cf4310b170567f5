# SPDX-License-Identifier: Apache-2.0
"""Front end for ONNX: our own import, with onnxruntime as the reference. Worker process only.

Images become channels last: see ``onnx_import.values``.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.frameworks.onnx_import import source as onnx_source
from tinyserve.convert.frameworks.onnx_import import trace as onnx_trace
from tinyserve.convert.frameworks.onnx_import.importer import Imported, Importer
from tinyserve.convert.frameworks.onnx_import.naming import describe
from tinyserve.convert.frameworks.onnx_import.source import OnnxSource
from tinyserve.convert.frameworks.onnx_ml import ensembles, plain
from tinyserve.convert.tflite import tidy
from tinyserve.convert.worker.loaded import Arrays, Loaded, Say
from tinyserve.convert.worker.messages import LoadModel, Place
from tinyserve.errors import TinyserveError, UnsupportedError


def load(request: LoadModel, say: Say) -> Loaded:
    """Raises ModelError, UsageError, UnsupportedError or ToolError."""
    tools = onnx_source.packages()
    where = request.origin or str(request.source)
    try:
        source = onnx_source.read(Path(request.source), request.input_shapes)
        say("convert", 0, 0)
        trees = ensembles.find(source.model)
        if trees is not None:
            return _trees(source, trees, tools)
        inner = replace(source, model=plain.lowered(source.model))
        imported = Importer(inner, onnx_trace.trace(inner), not request.keep_layout).run()
    except TinyserveError as error:
        message = error.message.removeprefix(f"{request.source}: ").removeprefix(f"{where}: ")
        raise type(error)(f"{where}: {message}", error.hint) from error
    return Loaded(
        tflite=tidy.tidied(imported.tflite),
        framework="onnx",
        tools=tools,
        original=_original(source),
        notes=source.notes,
        labels=source.labels,
        input_forms=[list(form) for _, form in imported.inputs],
        output_forms=[list(form) for _, form in imported.outputs],
        input_dtypes=imported.input_dtypes,
        places=_places(inner, imported),
        trace=_tracer(inner),
    )


def _trees(source: OnnxSource, node: Any, tools: dict[str, str]) -> Loaded:
    """A model whose core is an ensemble of trees."""
    if len(source.inputs) != 1 or len(source.shapes[0]) != 2:
        raise UnsupportedError(
            f"{describe(node)}: trees take one input (N, features) here, not {source.shapes}", plain.HINT
        )
    typed = _typed(source)

    def run(name: str, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What a value is, row by row."""
        return np.concatenate([onnx_trace.run_all(source.model, typed([row[None]]))[name] for row in rows])

    data = ensembles.write(source.model, node, source.shapes[0][1], run)
    return Loaded(data, "onnx", tools, _original(source), notes=source.notes, labels=source.labels)


def _typed(source: OnnxSource) -> Any:
    """A function from samples to what the session takes: inputs by name, of the model's own types."""
    onnx = importlib.import_module("onnx")
    types = {
        value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        for value in source.model.graph.input
    }

    def typed(sample: Arrays) -> dict[str, npt.NDArray[Any]]:
        pairs = zip(source.inputs, source.shapes, sample, strict=True)
        return {name: np.ascontiguousarray(a.reshape(shape).astype(types[name])) for name, shape, a in pairs}

    return typed


def _original(source: OnnxSource) -> Any:
    session, typed = onnx_trace.session_of(source.model), _typed(source)

    def run(sample: Arrays) -> Arrays:
        return [np.asarray(output) for output in session.run(source.outputs, typed(sample))]

    return run


def _tracer(source: OnnxSource) -> Any:
    typed = _typed(source)
    return lambda sample: onnx_trace.run_all(source.model, typed(sample))


def _places(source: OnnxSource, imported: Imported) -> dict[str, Place]:
    """In the order of the nodes."""
    found = {}
    for node in source.model.graph.node:
        for name in node.output:
            if name in imported.values:
                tensor, form, _ = imported.values[name]
                found[name] = Place(tensor, list(form), describe(node))
    return found
