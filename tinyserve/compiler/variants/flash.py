# SPDX-License-Identifier: Apache-2.0
"""What kernels store beyond the model's own constants, and what that is worth.

Weights in a kernel's own order stand in place of the model's, as a constant matrix does. Tables do not, nor
do weights that are packed anew for each operator that shares them, as the turns of an unrolled recurrent
layer do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.ops.support.base import Kin, Lowering
from tinyserve.compiler.program import Optimize

INSTRUCTIONS_PER_BYTE: dict[Optimize, float] = {"speed": 0.0, "balanced": 10.0, "ram": 10.0, "size": 100.0}
"""Of one inference, that a byte of flash is to save."""


class _Offer(Protocol):
    @property
    def variant(self) -> str: ...
    @property
    def lower(self) -> Callable[[], None]: ...


def extra_bytes(
    node: Node, lowering: Lowering, offered: Callable[[Node, Lowering], Sequence[_Offer]]
) -> list[float]:
    """Flash that each kernel offered for ``node`` takes beyond the model's own constants, in bytes. What
    operators of one kind share is divided among them. Empty where constants stand in place of the model's."""
    kin = lowering.kin(node)
    if len(kin.nodes) == 1 and _weights(node):
        return []
    kernels = tuple(one.variant for one in offered(node, lowering))
    if kernels not in kin.extra:
        kin.extra[kernels] = _extra_bytes(node, kin, lowering, offered)
    return kin.extra[kernels]


def _extra_bytes(
    node: Node, kin: Kin, lowering: Lowering, offered: Callable[[Node, Lowering], Sequence[_Offer]]
) -> list[float]:
    other = next((one for one in kin.nodes if one is not node), None)
    given = (
        0 if _weights(node) else sum(t.nbytes for t in node.inputs if t is not None and t.data is not None)
    )
    found = []
    for index in range(len(offered(node, lowering))):
        own = _stored(node, lowering, offered, index)
        theirs = _stored(other, lowering, offered, index) if other is not None else {}
        stored = sum(size / (len(kin.nodes) if key in theirs else 1) for key, size in own.items())
        found.append(max(0.0, stored - given))
    return found


def _stored(
    node: Node, lowering: Lowering, offered: Callable[[Node, Lowering], Sequence[_Offer]], index: int
) -> Mapping[object, int]:
    """The constants of the kernel in a place of the offers."""
    if index >= len(offered(node, lowering)):
        return {}
    return lowering.stored_by(lambda probe: offered(node, probe)[index].lower())


def _weights(node: Node) -> list[Tensor]:
    found = [node.optional(name.rstrip("?")) for name in node.signature.inputs if "weights" in name]
    return [tensor for tensor in found if tensor is not None and tensor.data is not None]


def _kinship(node: Node) -> object:
    """What operators have in common that may share a kernel's constants: weights, or where they have none
    the scales that tables come from."""
    weights = _weights(node)
    if weights:
        largest = max(weights, key=lambda tensor: tensor.nbytes)
        assert largest.data is not None
        return node.name, largest.shape, hash(largest.data.tobytes())
    tensors = [*node.inputs, *node.outputs]
    described = tuple(None if t is None else (t.shape, t.dtype, repr(t.quantization)) for t in tensors)
    return node.name, repr(node.attributes), described


def kin_of(nodes: Collection[Node]) -> dict[Node, Kin]:
    """Each operator with those that may share its kernel's constants, itself included."""
    groups: dict[object, list[Node]] = {}
    for node in nodes:
        groups.setdefault(_kinship(node), []).append(node)
    return {node: kin for kin in (Kin(tuple(group)) for group in groups.values()) for node in kin.nodes}
