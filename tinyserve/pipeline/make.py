# SPDX-License-Identifier: Apache-2.0
"""A pipeline as a bundle, which everything else takes as it takes any model."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve import bundle
from tinyserve.bundle import Bundle, Manifest, Samples, Source
from tinyserve.convert.check import expectation
from tinyserve.convert.check.figures import figures
from tinyserve.convert.settings import Record
from tinyserve.convert.tflite import facts
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.convert.worker.child import Worker
from tinyserve.datasets import readers, stream, synthetic
from tinyserve.datasets.dataset import Dataset
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.documents import from_json
from tinyserve.errors import DataError
from tinyserve.escapes import visible
from tinyserve.pipeline import compose as composing
from tinyserve.pipeline import spec
from tinyserve.pipeline.compose import Composed
from tinyserve.pipeline.parts import Part, sources_of
from tinyserve.pipeline.places import listed, places_of
from tinyserve.progress import Progress, silent

Array = npt.NDArray[Any]
PIPELINE_FILE = "pipeline.json"
_MOST_SAMPLES = 50
_TIMEOUT_S = 600.0


class Stage(msgspec.Struct, frozen=True):
    """A node in a bundle's pipeline.json. ``takes``: nodes and inputs that it takes values from."""

    name: str
    kind: str
    where: str = "device"
    when: str = ""
    takes: list[str] = []
    model_sha256: str = ""
    macs: int = 0


class Description(msgspec.Struct, frozen=True):
    """pipeline.json: the nodes of the bundle's model, in the order of its output ``ran``."""

    nodes: list[Stage]
    outputs: dict[str, list[str]] = {}


def make(
    source: Path,
    output: Path,
    *,
    name: str | None = None,
    samples: Path | str | None = None,
    reading: Reading = AS_IT_IS,
    operators: tuple[Path, ...] = (),
    progress: Progress = silent,
) -> Bundle:
    """Writes the bundle ``output`` of a pipeline.toml.

    ``samples``: what it is checked with, instead of the held-out samples of a bundle that takes all of the
    pipeline's inputs. Raises what ``spec.load`` and ``compose`` raise, and FileSystemError; then nothing is
    written.
    """
    bundle.check_place(output)
    progress("compose the pipeline")
    pipeline = spec.load(source)
    composed = composing.compose(pipeline, source.parent)
    model = facts.inspect(composed.data, source.name)
    record = Record()
    record.notes += [f"pipeline of {', '.join(composed.order)}"]
    given = _samples(composed, model, samples, reading, record)
    measured = figures(composed.data, "aot", record.notes, operators)
    with Worker(progress, _TIMEOUT_S) as worker:
        expected, expected_from = expectation.expected(worker, model, given.inputs, record, operators)
    kept = dataclasses.replace(given, expected=expected)
    main = composed.parts.get(composed.main)
    manifest = Manifest(
        name=name or bundle.name_of(source),
        model_sha256=model.model.sha256,
        source=Source(visible(source.name), bundle_digest(composed), bundle.PIPELINE),
        quantize=model.scheme,
        inputs=model.inputs,
        outputs=model.outputs,
        ops=model.ops,
        macs=measured.macs,
        arena_bytes=measured.arena_bytes,
        samples=len(kept),
        expected_from=expected_from,
        tools=dict(sorted(record.tools.items())),
        stream=composed.stream,
        rate_hz=composed.rate_hz,
        weights=facts.weights(model.model),
        labels=list(main.labels) if main is not None else [],
        notes=record.notes,
    )
    progress("write the bundle")
    extra = {PIPELINE_FILE: msgspec.json.encode(_description(pipeline, composed))}
    return bundle.write(output, manifest, composed.data, kept, extra=extra)


def described(made: Bundle) -> Description | None:
    """The nodes of a bundle's model; None where it is no pipeline. Raises DataError for a damaged file."""
    path = made.path / PIPELINE_FILE
    if not path.is_file():
        return None
    try:
        return from_json(path.read_bytes(), Description)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{path}: {error}", "make the bundle again") from error


def bundle_digest(composed: Composed) -> str:
    """Of all models, those on the gateway among them."""
    return hashlib.sha256("".join(part.sha256 for part in composed.parts.values()).encode()).hexdigest()


def _samples(
    composed: Composed, model: Inspected, given: Path | str | None, reading: Reading, record: Record
) -> Samples:
    """Inputs, labels, and no expected outputs yet."""
    if given is not None:
        dataset = stream.load(given, model.inputs, reading)
        count = min(_MOST_SAMPLES, len(dataset))
        chosen = dataset.take(np.arange(count)) if composed.stream else readers.spread(dataset, count)
        return _quantized(chosen, model)
    part = _giver(composed)
    if part is None or part.made is None:
        record.notes.append(
            "held-out samples are synthetic: no data was given, so they say nothing of accuracy"
        )
        return _quantized(synthetic.pattern(model.inputs), model)
    held = part.made.samples()
    record.notes.append(f"held-out samples are those of node '{part.node.name}'")
    places = [_place(part, name) for name in composed.input_names]
    inputs = [held.inputs[place] for place in places]
    floats = [held.float_inputs[place] for place in places] if held.float_inputs is not None else None
    labels = held.labels if part.node.name == composed.main else None
    return Samples(inputs, [], labels, floats)


def _quantized(dataset: Dataset, model: Inspected) -> Samples:
    inputs = [bundle.quantize(array, info) for array, info in zip(dataset.inputs, model.inputs, strict=True)]
    labels = dataset.labels if readers.are_classes(dataset.labels) else None
    return Samples(inputs, [], labels, dataset.inputs)


def _giver(composed: Composed) -> Part | None:
    """A part with a bundle that takes every input of the pipeline as it is, the main one before others."""
    names = [composed.main, *composed.order]
    for name in names:
        part = composed.parts.get(name)
        if (
            part is not None
            and part.made is not None
            and all(_place(part, entry) >= 0 for entry in composed.input_names)
        ):
            return part
    return None


def _place(part: Part, entry: str) -> int:
    """Which input of the part is the pipeline's input of this name; -1: none."""
    sources = sources_of(part)
    return sources.index([entry]) if [entry] in sources else -1


def _description(pipeline: spec.Pipeline, composed: Composed) -> Description:
    nodes = []
    for node in pipeline.nodes:
        part = composed.parts.get(node.name)
        places = [place for places in sources_of(part) for place in places] if part else places_of(node)
        nodes.append(
            Stage(
                node.name,
                str(node.__struct_config__.tag),
                node.where if isinstance(node, spec.ModelNode) else "device",
                node.when or "",
                places,
                part.sha256 if part is not None else "",
                part.made.manifest.macs if part is not None and part.made is not None else 0,
            )
        )
    outputs = {name: listed(places) for name, places in pipeline.outputs.items()}
    return Description(nodes, outputs or {composed.output_names[0]: [composed.main]})
