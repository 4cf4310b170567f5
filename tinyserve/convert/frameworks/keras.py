# SPDX-License-Identifier: Apache-2.0
"""Front end for Keras 3 (.keras, .h5): the model with batch 1, as float32 .tflite. Worker process only.

With TF_USE_LEGACY_KERAS=1 in the environment ``tf.keras`` is Keras 2 (the package tf-keras), which loads
the .h5 files that Keras 3 refuses.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import sys
from pathlib import Path
from typing import Any

from tinyserve.convert.frameworks import recurrent, tensorflow, tensorflow_trace
from tinyserve.convert.tflite import signature
from tinyserve.convert.tflite.signature import Signature
from tinyserve.convert.worker.loaded import Arrays, Loaded, Say
from tinyserve.convert.worker.messages import LoadModel, NeedsLegacyKeras
from tinyserve.errors import ModelError, UsageError

LEGACY = "TF_USE_LEGACY_KERAS"


def load(request: LoadModel, say: Say) -> Loaded:
    """Loads, fixes the input shapes, converts. Raises ModelError or UsageError."""
    tf = tensorflow.load()
    model = _load_model(tf, request)
    tensors = list(model.inputs)
    names = signature.unique([_name(tensor, i) for i, tensor in enumerate(tensors)])
    shapes = tensorflow.static_shapes(
        names, [tuple(tensor.shape) for tensor in tensors], request.input_shapes, str(request.source)
    )
    specs = [tf.TensorSpec(shape, tensor.dtype) for shape, tensor in zip(shapes, tensors, strict=True)]
    found = recurrent.loops(model)
    lstms = [layer for layer in found if recurrent.is_lstm(layer)]
    notes = recurrent.unroll([layer for layer in found if layer not in lstms], shapes)
    sequences = recurrent.Sequences(tf, lstms)

    def call(*inputs: Any) -> Any:
        return model(_structured(tf, model, inputs), training=False)

    say("convert", 0, 0)
    function = tensorflow.traced(tf, sequences.watched(call), specs)
    state = tensorflow.state_of(function)
    notes += tensorflow.training_notes(function)

    def original(sample: Arrays) -> Arrays:
        return tensorflow.run(tf, function, sample)

    tools = {"tensorflow": tf.__version__, **_keras_version()}
    called = Signature(names, _output_names(model))
    places, trace = tensorflow_trace.seen(tf, function)
    cut = sequences.choose()
    notes += recurrent.unroll(sequences.unfit, shapes)
    if cut:
        open_ended = tensorflow.traced(tf, sequences.cut(call), [*specs, *sequences.specs()])
        data = sequences.put(tensorflow.to_tflite(tf, open_ended, sequences.signature(called)), called)
    else:
        unrolled = tensorflow.traced(tf, call, specs) if sequences.unfit else function
        data = tensorflow.to_tflite(tf, unrolled, called)
    return Loaded(data, "keras", tools, original, notes=notes, restart=state, places=places, trace=trace)


def _structured(tf: Any, model: Any, inputs: tuple[Any, ...]) -> Any:
    """The inputs in the structure that the model was made with: one, a list, a dict."""
    if len(inputs) == 1 and not isinstance(getattr(model, "_inputs_struct", None), dict):
        return inputs[0]
    structure = getattr(model, "_inputs_struct", None)
    return list(inputs) if structure is None else tf.nest.pack_sequence_as(structure, inputs)


def _output_names(model: Any) -> tuple[str, ...]:
    """Keys where the model gives a dict, else the names of the layers that make the outputs."""
    structure = getattr(model, "_outputs_struct", None)
    if isinstance(structure, dict) and len(structure) == len(model.outputs):
        return tuple(sorted(map(str, structure)))
    names = getattr(model, "output_names", None)
    if not names or len(names) != len(model.outputs):
        names = [_maker(tensor, index) for index, tensor in enumerate(model.outputs)]
    return signature.unique([str(name) for name in names])


def _maker(tensor: Any, index: int) -> str:
    """The layer that makes a tensor."""
    history = getattr(tensor, "_keras_history", None)
    return str(getattr(getattr(history, "operation", None), "name", "") or f"output_{index}")


def _saved_by_keras_2(path: Path) -> bool:
    h5py = importlib.import_module("h5py")
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("keras_version", "")).startswith("2.")
    except OSError:
        return False


def _keras_version() -> dict[str, str]:
    package = "tf-keras" if os.environ.get(LEGACY) == "1" else "keras"
    return {package: importlib.metadata.version(package)}


def _loader() -> str:
    """Name and version, for messages."""
    return " ".join(*_keras_version().items())


def _name(tensor: Any, index: int) -> str:
    name = str(getattr(tensor, "name", "") or f"input_{index}").split(":")[0]
    return "".join(c if c.isalnum() or c == "_" else "_" for c in name)


def _load_model(tf: Any, request: LoadModel) -> Any:
    objects = _custom_objects(request.custom)
    try:
        return tf.keras.models.load_model(request.source, custom_objects=objects, compile=False)
    except Exception as error:
        text = str(error)
        if os.environ.get(LEGACY) != "1" and _saved_by_keras_2(request.source):
            raise NeedsLegacyKeras(
                f"{request.source}: {_first_line(text)}", "load it with tf-keras"
            ) from error
        if "Unknown layer" in text or "Could not locate" in text or "not registered" in text:
            raise ModelError(
                f"{request.source}: the model has a layer or function of its own: {_unknown(text)}",
                "name it to `convert` with --custom module:Name (its module must be importable)",
            ) from error
        if "lambda" in text.lower():
            raise ModelError(
                f"{request.source}: has a Lambda layer, which is Python code inside the file and is not run",
                "replace the Lambda by a layer class and name that to `convert` with --custom module:Name",
            ) from error
        raise ModelError(
            f"{request.source}: {_loader()} cannot load this file: {_first_line(text)}",
            "is the file complete, and was it saved by model.save()? (weights alone are not a model)",
        ) from error


def _unknown(text: str) -> str:
    """The name of what Keras could not find."""
    found = re.search(r"(?:Could not locate \w+|Unknown layer:?) '?(\w+)'?", text)
    return found.group(1) if found else _first_line(text)


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:300] if lines else "no reason given"


def _custom_objects(names: list[str]) -> dict[str, Any]:
    """Classes and functions named as "module:Name", from the current directory or installed."""
    if names:
        sys.path.insert(0, str(Path.cwd()))
    objects = {}
    for name in names:
        module, _, attribute = name.partition(":")
        try:
            objects[attribute] = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise UsageError(
                f"--custom {name}: {error}", "write module:Name of something importable"
            ) from error
    return objects
