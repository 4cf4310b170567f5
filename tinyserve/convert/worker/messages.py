# SPDX-License-Identifier: Apache-2.0
"""What the conversion's parent and its worker process say to each other: one JSON object per line.

TensorFlow, LiteRT and TFLM run in the worker alone: their output on stderr is kept away from the user, a
crash of theirs is an error and not the end of the program, and a time-out or Ctrl-C really ends them.
Arrays travel as .npz files (``array_0``, ``array_1``, ... in the order of the model's inputs or outputs).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from tinyserve.convert.quantize.scaling_front import Standardization
from tinyserve.errors import ModelError
from tinyserve.features.spec import Decision, Spec


class LoadModel(msgspec.Struct, frozen=True, tag=True):
    """Load a trained model with the front end ``frontend`` and write it as float32 .tflite to ``tflite``.

    ``input_shapes``: per input the full shape with batch 1, empty to take the model's own. ``keep_layout``:
    images stay channels first. ``origin`` is what messages call the source, where that is another file.
    """

    frontend: str
    source: Path
    tflite: Path
    input_shapes: list[list[int]] = []
    signature: str = ""
    custom: list[str] = []
    keep_layout: bool = False
    origin: str = ""


class ExportOnnx(msgspec.Struct, frozen=True, tag=True):
    """Load a trained model with the front end ``frontend`` and write it as ONNX to ``onnx``.

    Done's ``input_forms`` is empty: the exported model has the source's layouts.
    """

    frontend: str
    source: Path
    onnx: Path
    input_shapes: list[list[int]] = []


class Widen(msgspec.Struct, frozen=True, tag=True):
    """Write the .tflite ``source`` with float32 for float16 weights; see ``widen``."""

    source: Path
    output: Path


class Choose(msgspec.Struct, frozen=True, tag=True):
    """Write the signature of the .tflite ``source`` as a file of its own; see ``entry``."""

    source: Path
    signature: str
    output: Path


class InferShapes(msgspec.Struct, frozen=True, tag=True):
    """Write the .tflite ``source`` with the shapes that LiteRT finds; see ``shapes``."""

    source: Path
    output: Path


class Dequantize(msgspec.Struct, frozen=True, tag=True):
    """Write the .tflite ``source`` in float32; see ``real``."""

    source: Path
    output: Path


class Split(msgspec.Struct, frozen=True, tag=True):
    """Cut the .tflite ``source`` in two; see ``surgery.split``."""

    source: Path
    operators: list[int]
    front: Path
    network: Path


class Join(msgspec.Struct, frozen=True, tag=True):
    """Put ``network`` behind the front end of ``source``; see ``surgery.join``."""

    source: Path
    operators: list[int]
    network: Path
    output: Path


class Standardize(msgspec.Struct, frozen=True, tag=True):
    """Put steps per feature in front of the dense layers of ``source``; see ``standardize.standardized``."""

    source: Path
    steps: list[Standardization]
    output: Path


class PutFeatures(msgspec.Struct, frozen=True, tag=True):
    """Put features in front of ``network``; see ``attach.attached``."""

    spec: Spec
    network: Path
    output: Path


class PutDecision(msgspec.Struct, frozen=True, tag=True):
    """Put a decision behind ``model``; see ``attach.decided``."""

    decision: Decision
    samples: int
    model: Path
    output: Path


class RunOriginal(msgspec.Struct, frozen=True, tag=True):
    """Run the model that was loaded last, in its own framework."""

    inputs: Path
    outputs: Path


class TraceOriginal(msgspec.Struct, frozen=True, tag=True):
    """Run the first sample through the model that was loaded last; write what is computed on the way to
    ``outputs``, by the names that Done's ``places`` has."""

    inputs: Path
    outputs: Path


class Quantize(msgspec.Struct, frozen=True, tag=True):
    """Quantize the float32 .tflite ``source`` with ``samples``; see ``quantizer``."""

    source: Path
    output: Path
    samples: Path
    scheme: str
    per_channel: bool = True
    keep_float: list[str] = []
    clip: str = ""


class RunTflite(msgspec.Struct, frozen=True, tag=True):
    """Run a .tflite: ``runtime`` is "litert" or "tflm". Inputs have the model's own types.

    With ``tensors``, ``outputs`` gets every tensor that the model computes as ``tensor_INDEX`` (litert only).
    """

    runtime: str
    model: Path
    inputs: Path
    outputs: Path
    tensors: bool = False


Request = (
    LoadModel
    | ExportOnnx
    | Widen
    | Choose
    | InferShapes
    | Dequantize
    | Split
    | Join
    | Standardize
    | PutFeatures
    | PutDecision
    | RunOriginal
    | TraceOriginal
    | Quantize
    | RunTflite
)


class Step(msgspec.Struct, frozen=True, tag=True):
    """Progress: ``done`` of ``total`` (0: unknown) of a stage."""

    stage: str
    done: int
    total: int


class Place(msgspec.Struct, frozen=True):
    """Where a value of the source lies in the .tflite: axis i of ``tensor`` is the value's axis ``form[i]``.
    ``node`` is what computes it in the source, as messages name it. Where ``tensor`` is '', it lies in the
    tensor that has its numbers, if there is one, and ``reads`` names the values that it is made of.
    """

    tensor: str
    form: list[int]
    node: str
    reads: list[str] = []


class Done(msgspec.Struct, frozen=True, tag=True):
    """Success. ``tools`` are the versions of what did the work; ``notes`` and ``labels`` are for the
    manifest.

    ``input_forms`` and ``output_forms``: axis i in the .tflite is axis form[i] in the source; empty lists
    where nothing is moved. ``input_dtypes``: of the source's inputs where floats stand for integers of that
    type, empty strings for others. ``places``: values of the source by name, in the order in which they are
    computed. ``float_only``: why nothing of the model may be quantized.
    ``undecided``: places of samples to which other answers than the original's are as right (RunOriginal).
    """

    framework: str = ""
    has_original: bool = False
    input_forms: list[list[int]] = []
    output_forms: list[list[int]] = []
    input_dtypes: list[str] = []
    places: dict[str, Place] = {}
    tools: dict[str, str] = {}
    notes: list[str] = []
    labels: list[str] = []
    float_only: str = ""
    undecided: list[int] = []


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A failure. ``kind`` is the name of an exception class. ``unexpected``: the log may tell more."""

    kind: str
    message: str
    hint: str
    unexpected: bool = False


Reply = Step | Done | Failed


class NeedsLegacyKeras(ModelError):
    """The file was saved by Keras 2 and this worker's Keras 3 can't load it."""


def encode(message: Request | Reply) -> bytes:
    """One line of the conversation."""
    return msgspec.json.encode(message, enc_hook=str) + b"\n"


def decode_request(line: bytes) -> Request:
    """What ``encode`` wrote. Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=Request, dec_hook=_path)  # type: ignore[no-any-return]


def decode_reply(line: bytes) -> Reply:
    """What ``encode`` wrote. Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=Reply, dec_hook=_path)  # type: ignore[no-any-return]


def _path(kind: type, value: object) -> Path:
    """Paths, the one type that JSON lacks."""
    assert kind is Path
    return Path(str(value))
