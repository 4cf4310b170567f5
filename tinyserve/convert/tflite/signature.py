# SPDX-License-Identifier: Apache-2.0
"""Order and names of a .tflite's inputs and outputs. Worker process only.

TensorFlow's converter and its quantizer list inputs and outputs in an order of their own; what the signature
calls them is all that tells them apart. Everything later pairs them by position, so the order is restored
here, in the file itself, after each tool that may have changed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyserve.compiler.graph import objects
from tinyserve.errors import ModelError

_KEY = b"serving_default"


@dataclass(frozen=True)
class Signature:
    """Names of inputs and outputs in the source's order, each of them once."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """The names, those that come again with a number behind them."""
    taken: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in taken or (candidate != name and candidate in names):
            candidate, number = f"{name}_{number}", number + 1
        taken.append(candidate)
    return tuple(taken)


def numbered(count: int, prefix: str) -> tuple[str, ...]:
    """Names that tell positions: prefix0, prefix1, ..."""
    return tuple(f"{prefix}{index}" for index in range(count))


def of(data: bytes) -> Signature:
    """What a file's main graph calls its inputs and outputs: its signature's names, else its tensors'."""
    from tinyserve.compiler.graph import reader

    main = reader.read(data).main
    return Signature(unique(main.input_names), unique(main.output_names))


def places(data: bytes) -> Signature:
    """Names that tell the places of a file's inputs and outputs."""
    found = of(data)
    return Signature(numbered(len(found.inputs), "in_"), numbered(len(found.outputs), "out_"))


def named(data: bytes, signature: Signature) -> bytes:
    """The file with one signature, which calls its inputs and outputs as told, in the order they have."""
    model = objects.unpack(data)
    graph = model.subgraphs[0]
    model.signatureDefs = [_definition(graph, signature)]
    return objects.pack(model)


def ordered(data: bytes, found: Signature, wanted: Signature) -> bytes:
    """The file with inputs and outputs in the order of ``found``, by which its own signature knows them, and
    called as ``wanted``. Without a signature their order is taken to be right: then the converter was given
    tensors to keep, not a function's structure.

    An input that nothing reads, and which the converter has dropped, is not brought back: ModelError.
    """
    model = objects.unpack(data)
    graph = model.subgraphs[0]
    definition = next((d for d in model.signatureDefs or () if d.subgraphIndex == 0), None)
    if definition is not None:
        graph.inputs = _places(definition.inputs, found.inputs, "input", wanted.inputs)
        graph.outputs = _places(definition.outputs, found.outputs, "output", wanted.outputs)
    elif (len(graph.inputs), len(graph.outputs)) != (len(wanted.inputs), len(wanted.outputs)):
        raise ModelError(
            "the converter dropped inputs or outputs: nothing in the model uses them",
            "save the model without inputs that nothing uses, and each output once",
        )
    model.signatureDefs = [_definition(graph, wanted)]
    return objects.pack(model)


def _places(entries: Any, names: Sequence[str], kind: str, shown: Sequence[str]) -> list[int]:
    known = {bytes(entry.name).decode(): int(entry.tensorIndex) for entry in entries or ()}
    lost = [show for name, show in zip(names, shown, strict=True) if name not in known]
    if lost:
        raise ModelError(
            f"the converter dropped the {kind} {', '.join(lost)}: nothing in the model uses it",
            f"save the model without this {kind}",
        )
    return [known[name] for name in names]


def _definition(graph: Any, signature: Signature) -> Any:
    generated = objects.module()
    definition = generated.SignatureDefT()
    definition.signatureKey, definition.subgraphIndex = _KEY, 0
    definition.inputs = _entries(generated, graph.inputs, signature.inputs)
    definition.outputs = _entries(generated, graph.outputs, signature.outputs)
    return definition


def _entries(generated: Any, tensors: Any, names: Sequence[str]) -> list[Any]:
    entries = []
    for tensor, name in zip(tensors, names, strict=True):
        entry = generated.TensorMapT()
        entry.name, entry.tensorIndex = name, int(tensor)
        entries.append(entry)
    return entries
