# SPDX-License-Identifier: Apache-2.0
"""What a quantized model keeps in float32, said with what it costs and what would spare it."""

from __future__ import annotations

from tinyserve.compiler import ops
from tinyserve.compiler.graph.types import DType, Model, Node
from tinyserve.compiler.passes import real_functions
from tinyserve.convert.quantize.scaling_front import ARITHMETIC
from tinyserve.convert.quantize.signal_front import ancestors
from tinyserve.convert.settings import Options
from tinyserve.convert.tflite import facts
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.errors import DeviceError, FitError, ToolError, UsageError

MOST_NAMED = 6
_FRONT = "it brings features to one scale in front of the integers: data that come scaled spare it"
_INT8 = "--quantize int8 computes {} in integers"
_NONE = "no integers compute {}: a model without it is faster"


def note(converted: Inspected, options: Options) -> str:
    """For the notes of a conversion; empty where all is computed in integers."""
    model = facts.as_compiled(converted.data)
    nodes = facts.left_in_float(model)
    if not nodes or converted.scheme == "float32":
        return ""
    names = [node.location for node in nodes]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    named = f"stays in float32: {', '.join(names[:MOST_NAMED])}{more}"
    return "; ".join(
        [named, *_costs(converted.data, options), *_remedies(model, nodes, converted.scheme, options)]
    )


def _remedies(model: Model, nodes: list[Node], scheme: str, options: Options) -> list[str]:
    """What would spare it, each with the operators that it is about; nothing to what was asked for."""
    found: dict[str, dict[str, None]] = {}
    for node in nodes:
        if not any(output.name in options.keep_float for output in node.outputs):
            found.setdefault(_remedy(model, node, scheme, options), {})[node.name] = None
    return [remedy.format(" and ".join(names)) for remedy, names in found.items() if remedy]


def _remedy(model: Model, node: Node, scheme: str, options: Options) -> str:
    if node.name in ARITHMETIC and _is_in_front(model, node):
        return _FRONT
    known = ops.registry(options.operators).get(node.name)
    in_int8 = known is not None and (not known.types or DType.INT8 in known.types)
    if scheme == "int16x8" and (in_int8 or real_functions.is_known(node)):
        return _INT8
    return "" if in_int8 else _NONE  # it is in float because its neighbours are


def _is_in_front(model: Model, node: Node) -> bool:
    """Whether it computes with the model's inputs alone, before anything was an integer."""
    nodes = model.main.nodes
    before = ancestors(nodes, [node]) if node in nodes else []
    return bool(before) and all(one.name in ARITHMETIC for one in nodes if one.index in before)


def _costs(data: bytes, options: Options) -> list[str]:
    """What it takes of an inference, where that can be counted here."""
    if options.float_share is None:
        return []
    try:
        share = options.float_share(data)
    except (ToolError, DeviceError, FitError, UsageError) as error:
        return [f"what it costs was not counted: {error.message.splitlines()[0]}"]
    percent = 100 * share.instructions / max(1, share.total)
    return [
        f"it takes {share.instructions:,} of {share.total:,} instructions on {share.board} "
        f"({percent:.0f} %), with the conversions around it"
    ]
