# SPDX-License-Identifier: Apache-2.0
"""Runs .tflite models in LiteRT and in TFLM's interpreter. Called in the worker process only."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.worker.loaded import Arrays, Say
from tinyserve.errors import ToolError

_PACKAGES = {
    "litert": ("ai-edge-litert", "tflite-runtime", "tensorflow-cpu", "tensorflow"),
    "tflm": ("tflite-micro",),
}


def tools(runtime: str) -> dict[str, str]:
    """Name and version of the package that ``runner`` uses."""
    for package in _PACKAGES[runtime]:
        try:
            return {package: importlib.metadata.version(package)}
        except importlib.metadata.PackageNotFoundError:
            continue
    return {}


def runner(runtime: str, model: bytes) -> Callable[[Arrays], Arrays]:
    """A function that runs one sample: the inputs in order, each with its batch axis, to the outputs."""
    return _litert(model) if runtime == "litert" else _tflm(model)


def _interpreter_class() -> Any:
    """LiteRT's interpreter under any of the names it has been published by."""
    for module in (
        "ai_edge_litert.interpreter",
        "tflite_runtime.interpreter",
        "tensorflow.lite.python.interpreter",
    ):
        try:
            return importlib.import_module(module).Interpreter
        except ImportError:
            continue
    raise ToolError("no LiteRT interpreter is installed", "pip install ai-edge-litert")


def _interpreter(model: bytes, **options: Any) -> Any:
    interpreter = _interpreter_class()(model_content=model, num_threads=1, **options)
    interpreter.allocate_tensors()
    return interpreter


def shapes(model: bytes) -> dict[int, tuple[int, ...]]:
    """By index the shapes of the main graph's tensors, as LiteRT allocates them."""
    package = _interpreter_class().__module__
    kinds = importlib.import_module(package).OpResolverType
    # Delegates take operators out of the graph, whose tensors then keep the shapes of the file.
    plain = _interpreter(model, experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    details = plain.get_tensor_details()
    return {int(detail["index"]): tuple(int(extent) for extent in detail["shape"]) for detail in details}


def _litert(model: bytes) -> Callable[[Arrays], Arrays]:
    interpreter = _interpreter(model)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def run(sample: Arrays) -> Arrays:
        for detail, value in zip(inputs, sample, strict=True):
            interpreter.set_tensor(detail["index"], value.reshape(detail["shape"]).astype(detail["dtype"]))
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in outputs]

    return run


def _tflm(model: bytes) -> Callable[[Arrays], Arrays]:
    try:
        runtime = importlib.import_module("tflite_micro").runtime
    except ImportError as error:
        raise ToolError("the TFLM interpreter is not installed", "pip install tflite-micro") from error
    interpreter = runtime.Interpreter.from_bytes(model)
    count_out = _count_outputs(interpreter)

    def run(sample: Arrays) -> Arrays:
        for index, value in enumerate(sample):
            shape = interpreter.get_input_details(index)["shape"]
            interpreter.set_input(np.ascontiguousarray(value.reshape(shape)), index)
        interpreter.invoke()
        return [interpreter.get_output(index) for index in range(count_out)]

    return run


def _count_outputs(interpreter: Any) -> int:
    """The wheel has no call for the number of outputs: asking for one too many raises."""
    count = 0
    while True:
        try:
            interpreter.get_output_details(count)
        except (IndexError, ValueError, RuntimeError):
            return count
        count += 1


def each_trace(
    model: bytes, inputs: Arrays, say: Say, anew: bool = False
) -> Iterator[dict[int, npt.NDArray[Any]]]:
    """Per sample the tensors that operators write, by index, from LiteRT. ``anew``: variables are set back
    before each."""
    interpreter = _interpreter(model, experimental_preserve_all_tensors=True)
    details = interpreter.get_input_details()
    written = sorted({int(i) for op in interpreter._get_ops_details() for i in op["outputs"]})
    for index in range(len(inputs[0])):
        for detail, array in zip(details, inputs, strict=True):
            value = array[index : index + 1].reshape(detail["shape"]).astype(detail["dtype"])
            interpreter.set_tensor(detail["index"], value)
        if anew:
            interpreter.reset_all_variables()
        interpreter.invoke()
        yield dict(_values(interpreter, written))
        say("trace", index + 1, len(inputs[0]))


def _values(interpreter: Any, tensors: list[int]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Those that have a value: what is folded or fused away has none."""
    for tensor in tensors:
        try:
            yield tensor, interpreter.get_tensor(tensor)
        except ValueError:
            continue


def trace(model: bytes, inputs: Arrays, output: Path, say: Say) -> None:
    """Writes every tensor that the model computes, over all samples, as ``tensor_INDEX`` (N, ...)."""
    values: dict[int, Arrays] = {}
    for tensors in each_trace(model, inputs, say):
        for index, value in tensors.items():
            values.setdefault(index, []).append(value)
    with output.open("wb") as file:
        np.savez(file, **{f"tensor_{i}": np.stack(v) for i, v in values.items()})  # type: ignore[arg-type]
