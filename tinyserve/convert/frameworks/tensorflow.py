# SPDX-License-Identifier: Apache-2.0
"""What the TensorFlow front ends share. Worker process only: nothing else may import TensorFlow."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from tinyserve.convert.frameworks import provision
from tinyserve.convert.tflite import signature, tidy
from tinyserve.convert.tflite.signature import Signature
from tinyserve.convert.worker.loaded import Arrays
from tinyserve.errors import ModelError, ToolError, UnsupportedError, UsageError
from tinyserve.words import counted

_FAKE = "FakeQuant"
_LEFT_OUT = "_fake_quantization"
"""Marks operators that took the place of such."""


def load() -> Any:
    """The TensorFlow module. Raises ToolError with the command that installs it."""
    try:
        tf = importlib.import_module("tensorflow")
    except ImportError as error:
        hint = provision.install_command("tensorflow")
        raise ToolError(f"TensorFlow is needed to convert this model: {error}", hint) from error
    tf.get_logger().setLevel("ERROR")
    return tf


def static_shapes(
    names: Sequence[str],
    shapes: Sequence[tuple[int | None, ...]],
    wanted: Sequence[Sequence[int]],
    where: str,
) -> list[tuple[int, ...]]:
    """The input shapes with batch 1 and no open dimension.

    ``wanted`` are the user's shapes, with or without the batch, or empty. Raises UsageError where an open
    dimension has no answer.
    """
    if wanted and len(wanted) != len(shapes):
        raise UsageError(
            f"{where}: {len(wanted)} input shapes given for {counted(len(shapes), 'input')} "
            f"({', '.join(names)})",
            "give `convert` --input-shape once per input, in this order",
        )
    result = []
    for index, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        given = tuple(wanted[index]) if wanted else None
        result.append(_static_shape(name, shape, given, where))
    return result


def _static_shape(
    name: str, shape: tuple[int | None, ...], given: tuple[int, ...] | None, where: str
) -> tuple[int, ...]:
    example = "x".join("N" if extent is None else str(extent) for extent in shape[1:])
    if given is not None:
        full = given if len(given) == len(shape) else (1, *given)
        fits = (
            len(full) == len(shape)
            and full[:1] == (1,)
            and all(b in (None, a) for a, b in zip(full[1:], shape[1:], strict=False))
        )
        if not fits:
            raise UsageError(
                f"{where}: input '{name}' has shape {shape}, not {given}",
                f"give `convert` --input-shape {example}"
                + (" with numbers" if None in shape[1:] else "")
                + ": in the order of axes that the model itself has, with or without a batch of 1",
            )
        return (1, *full[1:])
    fixed = tuple(extent for extent in shape[1:] if extent is not None)
    if len(fixed) != len(shape[1:]):
        raise UsageError(
            f"{where}: input '{name}' has open dimensions {shape}; a microcontroller needs a fixed shape",
            f"give `convert` --input-shape {example} with numbers",
        )
    return (1, *fixed)


def traced(tf: Any, call: Callable[..., Any], specs: Sequence[Any]) -> Any:
    """A concrete function of positional inputs, called ``in_0`` and so on, that gives the list of ``call``'s
    outputs in the order of ``tf.nest.flatten``, called ``out_0`` and so on.

    Each output is a tensor of its own, so that an output that is returned twice, or is an input, keeps a
    place. Fake quantization, as training leaves it, is left out where the function has no state.
    """

    def flat(*inputs: Any) -> dict[str, Any]:
        outputs = tf.nest.flatten(call(*inputs))
        return {f"out_{index:04}": tf.identity(output) for index, output in enumerate(outputs)}

    renamed = [tf.TensorSpec(s.shape, s.dtype, f"in_{index:04}") for index, s in enumerate(specs)]
    function = tf.function(flat).get_concrete_function(*renamed)
    if assigns(function) or not any(node.op.startswith(_FAKE) for node in _nodes(function)):
        return function
    return traced(tf, _without_fake_quantization(tf, function), specs)


def _without_fake_quantization(tf: Any, function: Any) -> Any:
    """The function with marked identities for operators that quantize values as training does: quantizers
    want the floats, and what training made of the weights stays in them."""
    whole = frozen(function)
    definition = whole.graph.as_graph_def()
    for node in definition.node:
        if node.op.startswith(_FAKE):
            name, value = node.name, node.input[0]
            node.Clear()
            node.name, node.op = name, "Identity"
            node.input.append(value)
            node.attr["T"].type = tf.float32.as_datatype_enum
            node.attr[_LEFT_OUT].b = True
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    inputs, outputs = (
        [wrapped.graph.get_tensor_by_name(tensor.name) for tensor in tensors]
        for tensors in (whole.inputs, whole.outputs)
    )
    return wrapped.prune(inputs, outputs)


def training_notes(function: Any) -> list[str]:
    """What is to be said of a network that was trained with fake quantization."""
    count = sum(_LEFT_OUT in node.attr for node in _nodes(function))
    if not count:
        return []
    return [
        f"trained with fake quantization: its {count} operators are left out, here and of the original that"
        " outputs are compared with; ranges of activations come from the representative data"
    ]


def state_of(function: Any) -> Callable[[], None] | None:
    """What gives the function's variables the values that they have now; None where it assigns to none."""
    if not assigns(function):
        return None
    kept = [(variable, variable.numpy()) for variable in function.graph.variables]

    def restart() -> None:
        for variable, value in kept:
            variable.assign(value)

    return restart


def run(tf: Any, function: Any, sample: Arrays) -> Arrays:
    """Runs what ``traced`` gave: inputs and outputs in order."""
    specs = function.structured_input_signature[0]
    outputs = function(*(tf.constant(v, s.dtype) for v, s in zip(sample, specs, strict=True)))
    return [outputs[name].numpy() for name in sorted(outputs)]


def to_tflite(tf: Any, function: Any, names: Signature) -> bytes:
    """What ``traced`` gave as float32 .tflite, its inputs and outputs in the source's order and called
    ``names``. Raises UnsupportedError where TFLite has no such operator."""
    try:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen(function)], _root(tf, function))
        data = tidy.tidied(bytes(converter.convert()))
    except Exception as error:
        raise conversion_error(error) from error
    inputs = tuple(f"in_{index:04}" for index in range(len(names.inputs)))
    return signature.ordered(data, Signature(inputs, _output_names(data, len(names.outputs))), names)


def _output_names(data: bytes, count: int) -> tuple[str, ...]:
    """What the converter calls a function's outputs: its own names, or numbers where it was frozen."""
    own = tuple(f"out_{index:04}" for index in range(count))
    return own if count and own[0] in signature.of(data).outputs else signature.numbered(count, "output_")


def frozen(function: Any) -> Any:
    """The function with its variables as constants; one that has state stays: the converter freezes what is
    never assigned."""
    if assigns(function):
        return function
    framework = importlib.import_module("tensorflow.python.framework.convert_to_constants")
    return framework.convert_variables_to_constants_v2(function)


def _root(tf: Any, function: Any) -> Any:
    """What holds the function's variables. Of a model itself the converter may lose their values, or it can't
    save it and goes on without a signature."""
    holder = tf.Module()
    holder.variables_of_function = list(function.graph.variables)
    return holder


def assigns(function: Any) -> bool:
    """Whether it assigns to variables, itself or in functions that it calls."""
    return any(node.op.startswith("Assign") for node in _nodes(function))


def _nodes(function: Any) -> list[Any]:
    """Those of the function and of all that it calls."""
    graph = function.graph.as_graph_def()
    return [*graph.node, *(node for called in graph.library.function for node in called.node_def)]


def conversion_error(error: Exception, hint: str = "") -> ModelError:
    """The converter's exception in a sentence: the operators it has no equivalent for, or its first line with
    ``hint``."""
    text = str(error)
    missing = sorted(set(re.findall(r"tf\.([A-Za-z0-9]+)\(", text)))
    if "Flex ops" in text or "custom op" in text or missing:
        names = ", ".join(missing) or "unknown ones"
        return UnsupportedError(
            f"the model uses TensorFlow operators that TFLite does not have: {names}",
            "replace the layers that bring them (string, random, complex and dynamic-shape operators do)",
        )
    if "READ_VARIABLE" in text or "VAR_HANDLE" in text:
        return UnsupportedError(
            "the model keeps weights or state in variables, which can't be calibrated",
            "convert the Keras model or SavedModel itself: its variables become constants",
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return ModelError(
        f"TensorFlow's converter refused the model: {lines[0][:300] if lines else 'it does not say why'}",
        hint,
    )
