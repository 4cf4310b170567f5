# SPDX-License-Identifier: Apache-2.0
"""The description of a pipeline: ``pipeline.toml`` as typed nodes, checked as it is read.

::

    [[nodes]]
    name = "wake"
    model = "wake.bundle"

    [[nodes]]
    name = "verify"
    model = "verify.bundle"
    when = "wake.scores[1] >= 0.6"

    [outputs]
    scores = ["verify", "wake"]      # of the first of them that ran
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tinyserve.documents import from_toml
from tinyserve.errors import DataError, FileSystemError
from tinyserve.escapes import visible
from tinyserve.features.spec import Decision, Finite, NotNegative, Whole

_LARGEST_FILE = 1 << 20
_HINT = "docs/guide/pipelines.md has the fields of [[nodes]] and [outputs]"
MOST_NODES = 32
NodeName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
OutputName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}\Z")]
Place = Annotated[str, Meta(min_length=1, max_length=200)]
Condition = Annotated[str, Meta(min_length=1, max_length=1000)]
Places = Annotated[list[Place], Meta(min_length=1, max_length=MOST_NODES)]
RESERVED = frozenset({"input", "outputs", "ran", "nodes"})


class _Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """``when``: the condition under which it runs, in each inference anew; always without it."""

    name: NodeName
    when: Condition | None = None


class ModelNode(_Node, frozen=True, tag="model"):
    """A bundle, or a .tflite, by its path beside the pipeline's file.

    ``input``: where the model's only input comes from: an input of the pipeline, by any name that is no
    node's, or ``node.output``; of several places side by side on the last axis. A table names each input of
    a model that has more. Without it inputs of the pipeline are called as the model's. ``where``: on the
    device, or on its gateway: then the device says that the node is asked for, and with what.
    """

    model: Place
    input: Place | Places | dict[str, Place | Places] | None = None
    where: Literal["device", "gateway"] = "device"


class MixNode(_Node, frozen=True):
    """What several places give (of those that ran) as one, with a weight each (1)."""

    input: Places
    weights: list[NotNegative] | None = None


class AverageNode(MixNode, frozen=True, tag="average"):
    """The mean of the values."""


class VoteNode(MixNode, frozen=True, tag="vote"):
    """Of each class the share of places where it is the greatest."""


class GuardNode(_Node, frozen=True, tag="guard"):
    """Values within limits, one for all or one for each of the last axis. What lies outside (and what is no
    number) becomes ``instead``, or else the limit; the second output, ``ok``, is 1 where nothing did."""

    input: Place
    low: Finite | list[Finite] | None = None
    high: Finite | list[Finite] | None = None
    instead: Finite | list[Finite] | None = None


class TopNode(_Node, frozen=True, tag="top"):
    """The ``count`` best classes and their scores; -1 for a class below ``least``, and for all where the best
    is not ``margin`` above the second: an abstention."""

    input: Place
    count: Whole = 1
    least: Finite | None = None
    margin: NotNegative = 0.0


class AnomalyNode(_Node, frozen=True, tag="anomaly"):
    """How unusual values are: the mean squared difference from those ``against`` (what an autoencoder was
    given), or the distance from the nearest of some centroids, each value by its scale."""

    input: Place
    against: Place | None = None
    centroids: Annotated[list[list[Finite]], Meta(min_length=1, max_length=256)] | None = None
    scales: list[Finite] | None = None


class DecisionNode(Decision, frozen=True, kw_only=True, tag_field="kind", tag="decision"):
    """When scores over time are an event, as ``[decision]`` of a features.toml says it."""

    name: NodeName
    when: Condition | None = None
    input: Place


Node = ModelNode | AverageNode | VoteNode | GuardNode | TopNode | AnomalyNode | DecisionNode


class Pipeline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole description. ``outputs``: by name a place, or several, of which the first that ran counts.
    ``baseline``: the single large model that the pipeline stands for, which ``bench`` compares with."""

    nodes: Annotated[list[Node], Meta(min_length=1, max_length=MOST_NODES)]
    outputs: Annotated[dict[OutputName, Place | Places], Meta(max_length=16)] = {}
    rate_hz: NotNegative = 0.0
    baseline: Place | None = None


def load(path: Path) -> Pipeline:
    """Reads a pipeline.toml. Raises FileSystemError, or DataError that says where the file is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror or error}", "give a pipeline.toml") from error
    if len(raw) > _LARGEST_FILE:
        raise DataError(f"{path}: over {_LARGEST_FILE} bytes", "this is no description of a pipeline")
    return parse(raw, str(path))


def parse(raw: bytes, where: str) -> Pipeline:
    """A description from its text. Raises DataError."""
    try:
        tables = from_toml(raw)
        nodes = tables.get("nodes", ())
        for node in nodes if isinstance(nodes, list) else ():
            if isinstance(node, dict):
                node.setdefault("kind", "model")
        found = msgspec.convert(tables, Pipeline)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        said = "it is no text" if isinstance(error, UnicodeDecodeError) else visible(str(error))
        raise DataError(f"{where}: {said}", _HINT) from error
    _check_names(found, where)
    return found


def _check_names(pipeline: Pipeline, where: str) -> None:
    names = [node.name for node in pipeline.nodes]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{where}: two nodes are called '{name}'", "names of nodes differ")
        if name in RESERVED or name in pipeline.outputs:
            raise DataError(f"{where}: a node is called '{name}', which means something else", "another name")
    for name in pipeline.outputs:
        if name in RESERVED:
            raise DataError(
                f"{where}: an output is called '{name}', which means something else", "another name"
            )
