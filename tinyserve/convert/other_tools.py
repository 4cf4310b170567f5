# SPDX-License-Identifier: Apache-2.0
"""Files of other tools, which hold a model that no front end reads, or weights without their model: what they
are, and how a model that can be converted is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

EXPORT_PYTORCH = (
    "load it in Python as you did in training, then export the model: "
    "torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')"
)
_SAVE_KERAS = (
    "build the model in Python as in training, load the weights into it, and model.save('model.keras')"
)
_FROM_ITS_SOURCE = "convert the model that it was made from: as Keras, ONNX, PyTorch or .tflite"
_FROZEN = (
    "make a .tflite of it in Python and convert that: tf.compat.v1.lite.TFLiteConverter.from_frozen_graph("
    "FILE, [input names], [output names]).convert()"
)


class About(NamedTuple):
    what: str
    hint: str


_OLD_PYTORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the first pickle of files before PyTorch 1.6
_BY_SUFFIX = {
    ".mlmodel": About("a Core ML model", _FROM_ITS_SOURCE),
    ".engine": About("a TensorRT engine, compiled for a GPU", _FROM_ITS_SOURCE),
    ".plan": About("a TensorRT engine, compiled for a GPU", _FROM_ITS_SOURCE),
    ".caffemodel": About("weights of a Caffe model", "convert it to ONNX first"),
    ".safetensors": About("weights without their model (safetensors)", EXPORT_PYTORCH),
    ".gguf": About("weights of a language model (GGUF)", "those are far too large for a microcontroller"),
    ".json": About(
        "a description without weights (JSON of Keras, or of TensorFlow.js with weights beside it)",
        "model.save('model.keras') keeps both; tensorflowjs_converter makes a Keras model of TensorFlow.js",
    ),
    ".index": About("a part of a TensorFlow checkpoint: weights without their model", _SAVE_KERAS),
    ".meta": About("a part of a TensorFlow checkpoint", _SAVE_KERAS),
    ".ckpt": About("a checkpoint: weights without their model", _SAVE_KERAS),
    ".pbtxt": About("a TensorFlow graph as text, without weights", _SAVE_KERAS),
}


def about(path: Path, head: bytes) -> About | None:
    """By name and first bytes; None where neither says anything."""
    if head.startswith(_OLD_PYTORCH):
        return About("a PyTorch pickle, which has weights but no graph", EXPORT_PYTORCH)
    if path.name == "saved_model.pb":
        return About("part of a SavedModel", f"give its directory: {path.parent}")
    if path.suffix.lower() == ".pb" and head[:1] == b"\x0a":  # GraphDef begins with its first node
        return About("a frozen TensorFlow graph (GraphDef)", _FROZEN)
    if ".data-0" in path.suffix:
        return About("a part of a TensorFlow checkpoint: weights without their model", _SAVE_KERAS)
    return _BY_SUFFIX.get(path.suffix.lower())
