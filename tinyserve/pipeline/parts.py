# SPDX-License-Identifier: Apache-2.0
"""The models of a pipeline's nodes, opened and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyserve import bundle
from tinyserve.bundle import MANIFEST_FILE, Bundle
from tinyserve.compiler.events import Events, events_of
from tinyserve.compiler.graph import reader
from tinyserve.compiler.graph.types import Model, Node, Tensor
from tinyserve.compiler.passes.load import load, parse_attributes
from tinyserve.errors import DataError, FileSystemError, TinyserveError, UnsupportedError
from tinyserve.features.flow import PREFIX
from tinyserve.pipeline.places import listed, plain
from tinyserve.pipeline.spec import ModelNode
from tinyserve.words import counted

_REMEMBER = frozenset(
    {
        "SignalDelay", "SignalFilterBankSpectralSubtraction", "SignalFramer", "SignalOverlapAdd",
        "SignalStacker", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A node's model. ``rate_hz``: samples per second of its input, 0 where that is not known; ``stream``:
    samples follow one another. ``made`` is its bundle, None for a .tflite alone."""

    node: ModelNode
    path: Path
    data: bytes
    model: Model
    events: Events
    labels: tuple[str, ...] = ()
    rate_hz: float = 0.0
    stream: bool = False
    made: Bundle | None = None

    @property
    def inputs(self) -> list[Tensor]:
        return self.model.main.inputs

    @property
    def input_names(self) -> list[str]:
        return self.model.main.input_names

    @property
    def outputs(self) -> list[Tensor]:
        return self.model.main.outputs

    @property
    def output_names(self) -> list[str]:
        return self.model.main.output_names

    @property
    def has_features(self) -> bool:
        return any(is_feature(node) for node in self.model.main.nodes)

    @property
    def sha256(self) -> str:
        return self.model.sha256


def opened(node: ModelNode, directory: Path) -> Part:
    """Reads a node's model. Raises what reading raises, with the node's name."""
    path = directory / node.model
    try:
        part = _read(node, path)
    except TinyserveError as error:
        raise type(error)(f"node '{node.name}': {error.message}", error.hint) from error
    ended = [one.name for one in part.model.main.nodes if one.name == "CIRCULAR_BUFFER"]
    if ended:
        raise UnsupportedError(
            f"node '{node.name}': its model ends inferences early (CIRCULAR_BUFFER)",
            "features with [input] stream = true keep a stream's history without that",
        )
    return part


def _read(node: ModelNode, path: Path) -> Part:
    if (path / MANIFEST_FILE).is_file():
        made = bundle.load(path)
        data, manifest = made.model_bytes(), made.manifest
        model = _checked(data)
        labels, rate_hz = tuple(manifest.labels), manifest.rate_hz
        return Part(node, path, data, model, events_of(model), labels, rate_hz, manifest.stream, made)
    if path.suffix != ".tflite":
        what = "no bundle and no .tflite" if path.exists() else "no such file or directory"
        raise FileSystemError(
            f"{path}: {what}", "`tinyserve convert` makes bundles; paths are beside the pipeline's file"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "check the path") from error
    model = _checked(data)
    return Part(node, path, data, model, events_of(model), stream=_is_stream(model))


def _checked(data: bytes) -> Model:
    """The file as it is, nothing folded: operators are copied by their numbers."""
    load(data)
    model = reader.read(data)
    parse_attributes(model)
    return model


def _is_stream(model: Model) -> bool:
    return model.keeps_state or any(remembers(node) for node in model.main.nodes)


def entry_of(part: Part, name: str) -> int:
    """The number of an output by its name, or by that number. Raises DataError."""
    if name in part.output_names:
        return part.output_names.index(name)
    if name.isascii() and name.isdecimal() and len(name) < 4 and int(name) < len(part.outputs):
        return int(name)
    raise DataError(
        f"node '{part.node.name}' has no output '{name}'", f"it has: {', '.join(part.output_names)}"
    )


def sources_of(part: Part) -> list[list[str]]:
    """Of each input of a node's model the places that it takes values from. Where the description names none
    it is an input of the pipeline, called as the model's. Raises DataError where they don't fit the model."""
    given, names = part.node.input, part.input_names
    table: dict[str, str | list[str]] = {}
    if isinstance(given, dict):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise DataError(f"its model has no input '{unknown[0]}'", f"it has: {', '.join(names)}")
        table = given
    elif given is not None:
        if len(names) != 1:
            raise DataError(
                f"its model has {counted(len(names), 'input')}",
                f'input = {{ {names[0]} = "...", {names[1]} = "..." }}',
            )
        table = {names[0]: given}
    return [listed(table.get(name, plain(name))) for name in names]


def is_feature(node: Node) -> bool:
    """Whether it is an operator of features in front of a network."""
    return bool(node.outputs) and all(
        tensor.name.startswith(PREFIX) and "decision" not in tensor.name.split("/")[1]
        for tensor in node.outputs
    )


def remembers(node: Node) -> bool:
    """Whether it must see every sample of a stream."""
    if node.name in _REMEMBER or any(tensor.is_variable for tensor in node.operands()):
        return True
    attributes = node.attributes
    return node.custom and hasattr(attributes, "get") and bool(attributes.get("history"))
