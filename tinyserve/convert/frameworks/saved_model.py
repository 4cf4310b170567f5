"""Front end for SavedModel directories: one signature with batch 1, as float32 .tflite. Worker only."""

from __future__ import annotations

from typing import Any

from tinyserve.convert.frameworks import tensorflow
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
    names = list(declared)
    shapes = tensorflow.static_shapes(
        names,
        [tuple(declared[name].shape) for name in names],
        request.input_shapes,
        str(request.source),
    )
    specs = {
        name: tf.TensorSpec(shape, declared[name].dtype, name=name)
        for name, shape in zip(names, shapes, strict=True)
    }
    say("convert", 0, 0)
    function = tf.function(signature).get_concrete_function(**specs)

    def original(sample: Arrays) -> Arrays:
        inputs = {
            name: tf.constant(value, specs[name].dtype) for name, value in zip(names, sample, strict=True)
        }
        return [output.numpy() for output in tf.nest.flatten(function(**inputs))]

    tools = {"tensorflow": tf.__version__}
    return Loaded(tensorflow.to_tflite(tf, function, module), "saved_model", tools, original)


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
