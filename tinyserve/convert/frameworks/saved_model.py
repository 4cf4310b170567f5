# SPDX-License-Identifier: Apache-2.0
"""Front end for SavedModel directories: one signature with batch 1, as float32 .tflite. Worker only."""

from __future__ import annotations

from typing import Any

from tinyserve.convert.frameworks import tensorflow, tensorflow_loops, tensorflow_trace
from tinyserve.convert.tflite.signature import Signature
from tinyserve.convert.worker.loaded import Arrays, Loaded, Say
from tinyserve.convert.worker.messages import LoadModel
from tinyserve.errors import ModelError, UsageError

_DEFAULT = "serving_default"


def load(request: LoadModel, say: Say) -> Loaded:
    """Loads, picks the signature, fixes the input shapes, converts. Raises ModelError or UsageError."""
    tf = tensorflow.load()
    try:
        module = tf.saved_model.load(str(request.source))
    except Exception as error:
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(
            f"{request.source}: TensorFlow cannot load this SavedModel: {first[:300]}",
            "is the directory complete (saved_model.pb, variables/)? export it again",
        ) from error
    signature = _signature(module.signatures, request)
    declared = signature.structured_input_signature[1]
    names = _argument_order(module, signature, list(declared))
    shapes = tensorflow.static_shapes(
        names,
        [tuple(declared[name].shape) for name in names],
        request.input_shapes,
        str(request.source),
    )
    specs = [tf.TensorSpec(shape, declared[name].dtype) for name, shape in zip(names, shapes, strict=True)]

    def call(*inputs: Any) -> Any:
        return signature(**dict(zip(names, inputs, strict=True)))

    say("convert", 0, 0)
    function = tensorflow.traced(tf, call, specs)
    state = tensorflow.state_of(function)

    def original(sample: Arrays) -> Arrays:
        return tensorflow.run(tf, function, sample)

    tools = {"tensorflow": tf.__version__}
    # Outputs are a dict, which is flattened in the order of its sorted keys.
    called = Signature(tuple(names), tuple(sorted(signature.structured_outputs)))
    converted, notes = function, tensorflow.training_notes(function)
    if tensorflow_loops.has_loops(function):
        converted = tensorflow.traced(tf, tensorflow_loops.laid_out(tf, function), specs)
        notes.append(
            "the steps of loops (recurrent layers) are laid out one after the other: a .keras file of "
            "the model keeps LSTM layers as one operator each"
        )
    data = tensorflow.to_tflite(tf, converted, called)
    places, trace = tensorflow_trace.seen(tf, function)
    return Loaded(
        data, "saved_model", tools, original, notes=notes, restart=state, places=places, trace=trace
    )


def _signature(signatures: Any, request: LoadModel) -> Any:
    """The signature asked for, the only one, or the one that serves by default."""
    names = sorted(signatures)
    if not names:
        raise ModelError(
            f"{request.source}: the SavedModel has no signature", "export it with model.export(directory)"
        )
    wanted = request.signature or (names[0] if len(names) == 1 else _DEFAULT)
    if wanted not in names:
        listed = ", ".join(names)
        raise UsageError(
            f"{request.source}: "
            + (f"has no signature '{wanted}'" if request.signature else "has several signatures")
            + f" (it has: {listed})",
            f"give `convert` one of them: --signature {names[0]}",
        )
    return signatures[wanted]


def _argument_order(module: Any, signature: Any, names: list[str]) -> list[str]:
    """The inputs as the function behind the signature takes them, where the module still has it: signatures
    list them by name."""
    for attribute in ("serve", "__call__", "call"):
        function = getattr(module, attribute, None)
        for concrete in getattr(function, "concrete_functions", ()):
            given = _arguments(concrete.structured_input_signature)
            if sorted(given) == sorted(names):
                return given
    return names


def _arguments(structured: Any) -> list[str]:
    """Names of a function's tensors in the order in which it takes them."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                walk(inner)
        elif getattr(value, "name", None):
            found.append(str(value.name))

    walk(structured)
    return found
