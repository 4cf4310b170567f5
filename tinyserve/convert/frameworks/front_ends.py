# SPDX-License-Identifier: Apache-2.0
"""From a trained model of any kind to a .tflite, through the worker where a framework is needed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

import tinyserve
from tinyserve import bundle
from tinyserve.convert.frameworks import provision
from tinyserve.convert.settings import Options, Record
from tinyserve.convert.sources import SourceModel
from tinyserve.convert.tflite import facts
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.convert.worker import messages
from tinyserve.convert.worker.child import Worker
from tinyserve.errors import ModelError, ToolError, UsageError
from tinyserve.words import counted

EXPORTED = ("pytorch",)
"""Kinds that their own framework writes as ONNX first."""

_FRAMEWORKS = {"pytorch": "pytorch", "keras": "tensorflow", "saved_model": "tensorflow"}

_LEGACY = "TF_USE_LEGACY_KERAS"


@dataclass(frozen=True)
class Front:
    """The source as .tflite. ``has_original``: the worker can run it in its own framework. ``places``: where
    the source's values lie in it, ``float_only``: see ``messages.Done``."""

    model: Inspected
    framework: str
    has_original: bool
    places: dict[str, messages.Place] = field(default_factory=dict)
    float_only: str = ""


def isolated(source: SourceModel) -> Sequence[str] | None:
    """The command of the worker that loads this kind of model in an environment of its own; None: any worker.

    Raises ToolError with the command that installs the environment.
    """
    name = _FRAMEWORKS.get(source.kind)
    return None if name is None or _is_here(name) else _command(provision.require(name))


def isolated_quantizer() -> Sequence[str] | None:
    """The command of the worker that quantizes where this environment has no TensorFlow and one was set up;
    None: any worker (what can't be done without TensorFlow it says itself)."""
    place = None if _is_here("tensorflow") else provision.find("tensorflow")
    return None if place is None else _command(place)


def _command(place: Path) -> Sequence[str]:
    """The worker in an environment of its own. Not by PYTHONPATH: that would put our own environment's
    packages before the other's. What its Python compiles of ours is kept there, never beside our files."""
    interpreter, package = str(provision.python(place)), str(Path(tinyserve.__file__).parent)
    return (interpreter, "-X", f"pycache_prefix={place / 'pycache'}", "-c", _BOOT, package)


def _is_here(name: str) -> bool:
    """Whether this environment has what the front end needs: a PyTorch of the user's own is as good."""
    needed = provision.FRONTENDS[name].imports
    return bool(needed) and all(importlib.util.find_spec(name) is not None for name in needed)


_BOOT = """
import importlib.util, sys
package = sys.argv[1]
spec = importlib.util.spec_from_file_location(
    "tinyserve", package + "/__init__.py", submodule_search_locations=[package])
module = importlib.util.module_from_spec(spec)
sys.modules["tinyserve"] = module
spec.loader.exec_module(module)
from tinyserve.convert.server import main
main()
"""


def to_tflite(worker: Worker, loader: Worker, source: SourceModel, options: Options, record: Record) -> Front:
    """``loader`` has the source's framework. Raises ModelError, UnsupportedError, UsageError or ToolError."""
    _check_options(source, options)
    if source.kind == "tflite":
        return Front(_from_tflite(loader, source, options, record), "tflite", False)
    if source.kind == "sklearn" and not options.trust:
        raise UsageError(
            f"{source.path}: loading a pickle runs whatever code is in it",
            "give `convert` --trust if you made this file yourself, or have it from someone you trust",
        )
    request = messages.LoadModel(
        frontend=source.kind,
        source=source.path.absolute(),
        tflite=loader.path(".tflite"),
        input_shapes=[list(shape) for shape in options.input_shapes],
        signature=options.signature,
        custom=list(options.custom),
        keep_layout=options.keep_layout,
    )
    framework = ""
    if source.kind in EXPORTED:
        exported, request = _export(loader, request, record)
        framework = exported.framework
        done = worker.ask(request, "convert the model")
    else:
        done = _load(loader, request, record)
    record.tools.update(done.tools)
    record.notes.extend(done.notes)
    record.labels.extend(done.labels)
    model = facts.inspect(request.tflite.read_bytes(), f"{source.path} as .tflite")
    model = facts.with_forms(model, done.input_forms, done.output_forms)
    model = facts.with_dtypes(model, done.input_dtypes)
    record.notes.extend(_layout_notes(model))
    return Front(model, framework or done.framework, done.has_original, done.places, done.float_only)


def _export(
    loader: Worker, request: messages.LoadModel, record: Record
) -> tuple[messages.Done, messages.LoadModel]:
    """The source as ONNX, and the request to load that."""
    onnx = loader.path(".onnx")
    asked = messages.ExportOnnx(request.frontend, request.source, onnx, request.input_shapes)
    done = loader.ask(asked, "load the model")
    record.tools.update(done.tools)
    record.notes.extend(done.notes)
    origin = str(request.source)
    return done, msgspec.structs.replace(
        request, frontend="onnx", source=onnx, input_shapes=[], origin=origin
    )


def _layout_notes(model: Inspected) -> list[str]:
    """Both shapes of what was moved to channels last."""

    def shape(extents: Sequence[int]) -> str:
        return f"(N, {', '.join(map(str, extents))})"

    notes = [
        f"input '{info.name}' takes {shape(bundle.source_shape(info))} as your model does, or "
        f"{shape(bundle.sample_shape(info))}, which it is on the device (channels last)"
        for info in model.inputs
        if info.form
    ]
    return notes + [
        f"output '{info.name}' is {shape(bundle.sample_shape(info))} (channels last); your model's is "
        f"{shape(bundle.source_shape(info))}"
        for info in model.outputs
        if info.form
    ]


def _from_tflite(worker: Worker, source: SourceModel, options: Options, record: Record) -> Inspected:
    """The file as it is, but for: the signature asked for is its main graph; weights of half precision, and
    all of a file that only phones run (dynamic range, uint8), become float32; what training with fake
    quantization left is taken out."""
    where = str(source.path)
    path = _chosen(worker, source, options, record)
    if facts.has_half_precision(path.read_bytes(), where):
        output = worker.path(".tflite")
        worker.ask(messages.Widen(path, output), "widen float16 weights")
        record.notes.append("weights were of half precision: taken as float32, which changes no output")
        path = output
    path = _with_sound_shapes(worker, path, record)
    kind = facts.quantized_for_phones(path.read_bytes(), where)
    if kind:
        output = worker.path(".tflite")
        worker.ask(messages.Dequantize(path, output), "dequantize")
        record.notes.append(
            f"{kind}, which no microcontroller engine runs: its weights as floats are the original"
        )
        path = output
    pairs = facts.fake_quantizations(path.read_bytes(), where)
    if pairs:
        output = worker.path(".tflite")
        worker.ask(messages.Dequantize(path, output), "dequantize")
        record.notes.append(
            f"trained with fake quantization: its {counted(pairs, 'pair')} of QUANTIZE and DEQUANTIZE are "
            "left out, here and of the original that outputs are compared with; ranges of activations come "
            "from the representative data"
        )
        path = output
    return facts.inspect(path.read_bytes(), where)


def _with_sound_shapes(worker: Worker, path: Path, record: Record) -> Path:
    """The file; where its tensors contradict each other, and LiteRT finds shapes that do not, with those."""
    if facts.contradiction(path.read_bytes()) is None:
        return path
    output = worker.path(".tflite")
    try:
        worker.ask(messages.InferShapes(path, output), "infer shapes")
    except (ModelError, ToolError):
        return path  # what is wrong with it is said later, about the file as it is
    if facts.contradiction(output.read_bytes()) is not None:
        return path
    record.notes.append("inner shapes of the file contradict each other: taken as LiteRT finds them")
    return output


def _chosen(worker: Worker, source: SourceModel, options: Options, record: Record) -> Path:
    """The file, or the one of its signatures that the options name. Raises UsageError."""
    path = source.path.absolute()
    entries = facts.entries(path.read_bytes(), str(source.path))
    listed = ", ".join(sorted(entries))
    if options.signature and options.signature not in entries:
        has = f"it has: {listed}" if entries else "it has none"
        raise UsageError(
            f"{source.path}: has no signature '{options.signature}' ({has})",
            "leave --signature out, or name one",
        )
    if not options.signature and len(set(entries.values())) > 1:
        raise UsageError(
            f"{source.path}: has several signatures (it has: {listed})",
            f"give `convert` one of them: --signature {min(entries)}",
        )
    if len(set(entries.values())) < 2:
        return path
    output = worker.path(".tflite")
    worker.ask(messages.Choose(path, options.signature, output), "choose the signature")
    record.notes.append(f"the signature '{options.signature}' of {listed}")
    return output


def _check_options(source: SourceModel, options: Options) -> None:
    """An option that would be ignored is a misunderstanding. Raises UsageError."""
    given = (
        ("--signature", options.signature, ("saved_model", "tflite")),
        ("--custom", options.custom, ("keras",)),
        ("--input-shape", options.input_shapes, ("keras", "saved_model", "onnx", "pytorch")),
        ("--keep-layout", options.keep_layout, ("onnx", "pytorch")),
    )
    for name, value, kinds in given:
        if value and source.kind not in kinds:
            raise UsageError(f"{source.path}: {name} means nothing for this kind of model", "leave it out")


def _load(worker: Worker, request: messages.LoadModel, record: Record) -> messages.Done:
    """Loads with Keras 3; a file of Keras 2 that it refuses is loaded by tf-keras in a worker of its own."""
    try:
        return worker.ask(request, "load the model")
    except messages.NeedsLegacyKeras:
        worker.stop()
        worker.environment.update(_legacy_environment())
        record.notes.append("saved by Keras 2: loaded with tf-keras")
        return worker.ask(request, "load the model with Keras 2")


def _legacy_environment() -> dict[str, str]:
    """For a worker whose Keras is Keras 2. Raises ToolError with the command that installs tf-keras."""
    if importlib.util.find_spec("tf_keras") is not None:
        return {_LEGACY: "1"}
    overlay = str(provision.require("keras2"))
    others = os.environ.get("PYTHONPATH")
    return {_LEGACY: "1", "PYTHONPATH": os.pathsep.join([overlay, others] if others else [overlay])}
