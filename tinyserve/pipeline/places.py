# SPDX-License-Identifier: Apache-2.0
"""Names in a description: the places that nodes take values from, and names for tensors and inputs."""

from __future__ import annotations

from tinyserve.compiler.names import short_name
from tinyserve.features.flow import PREFIX as FEATURES
from tinyserve.pipeline.spec import AnomalyNode, Node
from tinyserve.pipeline.values import PREFIX


def listed(places: str | list[str]) -> list[str]:
    """One place or several."""
    return [places] if isinstance(places, str) else list(places)


def node_of(place: str) -> str:
    """The node (or input) in a place."""
    return place.partition(".")[0]


def places_of(node: Node) -> list[str]:
    """All places that a node takes values from."""
    given = node.input
    if given is None:
        return []
    if isinstance(given, dict):
        return [place for places in given.values() for place in listed(places)]
    if isinstance(node, AnomalyNode) and node.against is not None:
        return [node.input, node.against]
    return listed(given)


def plain(name: str) -> str:
    """As an identifier, of a name that a framework gave."""
    made = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_")
    return made if made and made[0].isalpha() else f"x_{made}".rstrip("_")


def renamed(node: str, name: str) -> str:
    """A tensor's name in the pipeline: its layer's, behind the node's."""
    if name.startswith(FEATURES):
        return f"{FEATURES}{node}_{name.removeprefix(FEATURES)}"
    return f"{PREFIX}{node}/{short_name(name) or 'value'}"
