# SPDX-License-Identifier: Apache-2.0
"""Front end for PyTorch exported programs (.pt2): PyTorch's own exporter makes ONNX of them. Worker process
only, in an environment of its own or this one.

A .pt2 holds a graph and weights; torch.export.load does not run the author's code.
"""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyserve.convert.worker.loaded import Arrays, Exported, Say
from tinyserve.convert.worker.messages import ExportOnnx
from tinyserve.errors import ModelError, UnsupportedError, UsageError

_OPSET = 18


def export(request: ExportOnnx, say: Say) -> Exported:
    """The program as ONNX. Raises ModelError, UsageError or UnsupportedError."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    program = _program(torch, request.source)
    _check_mode(program, request.source)
    _check_inputs(program, request)
    say("convert", 0, 0)
    module = _in_float32(torch, program)
    _check_batch(torch, program, module, request.source)

    def original(sample: Arrays) -> Arrays:
        with torch.no_grad():
            return [_array(output) for output in _flat(torch, _call(torch, program, module, sample))]

    tools = {name: importlib.metadata.version(name) for name in ("torch", "onnxscript")}
    onnx = _onnx(torch, program, request.source)
    return Exported(onnx, "pytorch", tools, original, _tracer(torch, program, module))


def _in_float32(torch: Any, program: Any) -> Any:
    """The program as a module; one of half precision with its weights as float32, as the conversion has them.
    What casts on its way, and no longer fits then, stays as it is."""
    examples = _placeholders(program)
    if not any(example.dtype in (torch.float16, torch.bfloat16) for example in examples):
        return program.module()
    wide = copy.deepcopy(program.module()).float()  # which has the program's own weights
    try:
        _try(torch, program, wide)
    except (RuntimeError, AssertionError, ValueError):
        return program.module()
    return wide


def _try(torch: Any, program: Any, module: Any) -> None:
    """Runs the module over zeros, for what it raises."""
    zeros = [np.zeros(_shape(example), np.float32) for example in _placeholders(program)]
    with torch.no_grad():
        _call(torch, program, module, zeros)


def _program(torch: Any, path: Path) -> Any:
    try:
        return torch.export.load(str(path))
    except Exception as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"{path}: torch.export cannot load this file: {first[:300]}",
            "save it with torch.export.save of a current PyTorch; the copy may be cut short",
        ) from error


def _check_mode(program: Any, path: Path) -> None:
    """Raises UsageError for a program that was exported in training mode: it would drop out and update
    statistics."""
    for node in program.graph.nodes:
        name = str(node.target)
        dropping = "dropout" in name and len(node.args) > 2 and bool(node.args[2])
        training = "batch_norm" in name and len(node.args) > 5 and node.args[5] is True
        if dropping or training or "native_batch_norm" in name or "bernoulli" in name or "rand" in name:
            raise UsageError(
                f"{path}: was exported in training mode ('{node.name}' is {name})",
                "call model.eval() before torch.export.export",
            )
    mutated = list(program.graph_signature.buffers_to_mutate.values())
    if mutated:
        raise UnsupportedError(
            f"{path}: changes its buffer '{mutated[0]}' in each call",
            "call model.eval() before torch.export.export; state that is meant goes in and out as arguments",
        )


def _check_inputs(program: Any, request: ExportOnnx) -> None:
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    names = [name for name in program.graph_signature.user_inputs if name in nodes]
    for name in names:
        _check_extents(name, nodes[name].meta["val"], request.source)
    shapes = {name: _shape(nodes[name].meta["val"]) for name in names}
    if not any(shape[:1] == (1,) for shape in shapes.values()):  # else the others have no batch: masks
        for name, shape in shapes.items():
            if len(shape) in (2, 4, 5):
                raise UsageError(
                    f"{request.source}: input '{name}' was exported for a batch of {shape[0]}",
                    "export it with an example whose batch is 1",
                )
    if request.input_shapes:
        raise UsageError(
            f"{request.source}: an exported program has the shapes of its example inputs",
            "leave --input-shape out, and export the model with an example of the shape that you want",
        )


def _shape(example: Any) -> tuple[int, ...]:
    """The shape of an input; an open batch (torch.export.Dim) is 1."""
    return tuple(extent if isinstance(extent, int) else 1 for extent in example.shape)


def _check_extents(name: str, example: Any, path: Path) -> None:
    """Raises UsageError for an open extent behind the batch: a device needs a number."""
    for axis, extent in enumerate(example.shape):
        if axis and not isinstance(extent, int):
            raise UsageError(
                f"{path}: input '{name}' was exported with an open extent (axis {axis}, torch.export.Dim)",
                "export it with an example of the shape that the device sees, and leave this axis out of "
                "dynamic_shapes",
            )


def _check_batch(torch: Any, program: Any, module: Any, path: Path) -> None:
    """Raises UsageError for a program with an open batch that does not take 1."""
    examples = _placeholders(program)
    if all(isinstance(extent, int) for example in examples for extent in example.shape):
        return
    try:
        _try(torch, program, module)
    except (RuntimeError, AssertionError, ValueError, IndexError) as error:
        raise UsageError(
            f"{path}: was exported with an open batch, and does not run with a batch of 1: {_reason(error)}",
            "export it with an example whose batch is 1, without dynamic_shapes",
        ) from error


def _onnx(torch: Any, program: Any, path: Path) -> bytes:
    """As it is, or, where the exporter refuses one of its operators, in PyTorch's core operators."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = _exported(torch, program)
            except Exception:
                model = _exported(torch, program.run_decompositions())
    except Exception as error:
        raise UnsupportedError(
            f"{path}: PyTorch's exporter to ONNX refuses this model: {_reason(error)}",
            "replace the operator it names, or export the model to ONNX yourself and convert that",
        ) from error
    _name_outputs(model, output_names(program))
    return bytes(model.SerializeToString())


def _exported(torch: Any, program: Any) -> Any:
    """A ModelProto."""
    made = torch.onnx.export(
        program, dynamo=True, verbose=False, optimize=True, opset_version=_OPSET,
        input_names=list(program.graph_signature.user_inputs),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="tinyserve-torch-") as directory:
        file = Path(directory) / "model.onnx"
        made.save(str(file))
        return importlib.import_module("onnx").load(str(file))


def _name_outputs(model: Any, names: list[str]) -> None:
    """The outputs get these names: where they have others, values that are called so give way."""
    graph, onnx = model.graph, importlib.import_module("onnx")
    old = [value.name for value in graph.output]
    if old == names:
        return
    inputs = {value.name for value in graph.input}
    for node in [node for node in graph.node if inputs.intersection(node.output)]:
        graph.node.remove(node)  # an input that is an output: the exporter writes Identity from x to x
    moved = {name: f"{name}_value" for name in names}
    for node in graph.node:
        node.input[:] = [moved.get(name, name) for name in node.input]
        node.output[:] = [moved.get(name, name) for name in node.output]
    for value in (*graph.initializer, *graph.value_info):
        value.name = moved.get(value.name, value.name)
    for value, was, name in zip(graph.output, old, names, strict=True):
        graph.node.append(onnx.helper.make_node("Identity", [moved.get(was, was)], [name], name=name))
        value.name = name


def _reason(error: BaseException) -> str:
    """The innermost cause that says something, in a line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else repr(error))[:300]


def output_names(program: Any) -> list[str]:
    """Keys of dicts and fields of named tuples, {'a': (x, y)} giving a_0 and a_1; the graph's own names for
    the members of a plain tuple or list. In the model's order, each once."""
    pytree = importlib.import_module("torch.utils._pytree")
    plain = [str(name) for name in program.graph_signature.user_outputs]
    paths, _ = pytree.tree_flatten_with_path(pytree.tree_unflatten(plain, program.call_spec.out_spec))
    inputs, taken, names = set(program.graph_signature.user_inputs), dict[str, int](), list[str]()
    for path, own in paths:
        named = any(not hasattr(key, "idx") for key in path)
        name = "_".join(_key(key) for key in path) if named else str(own)
        name = f"{name}_out" if name in inputs else name
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return names


def _key(key: Any) -> str:
    """A part of a key path: of a mapping, an object or a sequence."""
    return str(next(getattr(key, field) for field in ("key", "name", "idx") if hasattr(key, field)))


def _call(torch: Any, program: Any, module: Any, sample: Arrays) -> Any:
    arguments = [
        _tensor(torch, module, value, node)
        for value, node in zip(sample, _placeholders(program), strict=True)
    ]
    pytree = importlib.import_module("torch.utils._pytree")
    args, kwargs = pytree.tree_unflatten(arguments, program.call_spec.in_spec)
    return module(*args, **kwargs)


def _placeholders(program: Any) -> list[Any]:
    names = list(program.graph_signature.user_inputs)
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    return [nodes[name].meta["val"] for name in names]


def _tensor(torch: Any, module: Any, value: npt.NDArray[Any], example: Any) -> Any:
    """An input as the module takes it: of half precision only where its weights are."""
    made, half = torch.from_numpy(np.ascontiguousarray(value)), (torch.float16, torch.bfloat16)
    wide = example.dtype in half and not any(weights.dtype in half for weights in module.parameters())
    return made.reshape(_shape(example)).to(torch.float32 if wide else example.dtype)


def _array(output: Any) -> npt.NDArray[Any]:
    return np.asarray(output.detach().float().numpy() if output.is_floating_point() else output.numpy())


def _flat(torch: Any, outputs: Any) -> list[Any]:
    pytree = importlib.import_module("torch.utils._pytree")
    return [output for output in pytree.tree_leaves(outputs) if isinstance(output, torch.Tensor)]


def _tracer(torch: Any, program: Any, module: Any) -> Any:
    """What each node of the program computes, by its name, which the exporter keeps."""

    def trace(sample: Arrays) -> dict[str, npt.NDArray[Any]]:
        found: dict[str, npt.NDArray[Any]] = {}

        class Recorder(torch.fx.Interpreter):  # type: ignore[misc]
            def run_node(self, node: Any) -> Any:
                result = super().run_node(node)
                if isinstance(result, torch.Tensor):
                    found[node.name] = _array(result)
                return result

        pairs = zip(sample, _placeholders(program), strict=True)
        arguments = [_tensor(torch, module, value, example) for value, example in pairs]
        with torch.no_grad():
            Recorder(module).run(*arguments)
        return found

    return trace
