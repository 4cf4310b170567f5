# SPDX-License-Identifier: Apache-2.0
"""Activations that the converter writes as several operators, which quantizers would round one by one.

Softplus is log(1 + exp(x)): in int8 the exponential alone takes all of the range. Such a group is a function
of one value, which stays in float in the file, between a DEQUANTIZE and a QUANTIZE, and which the compiler
makes a table of.
"""

from __future__ import annotations

from tinyserve.compiler import ops
from tinyserve.compiler.graph.types import DType, Model, Node, Tensor
from tinyserve.compiler.passes import real_functions

_ODD = frozenset(
    {
        "EXP", "LOG", "GELU", "SIGN", "SIN", "COS", "SQRT", "RSQRT", "DIV", "SELECT", "SELECT_V2", "SQUARE",
        "FLOOR", "CEIL", "POW", "ROUND", "SQUARED_DIFFERENCE",
    }
)  # fmt: skip
"""What has no kernel in int8, or loses most of its digits there."""
ODD_IN_16_BITS = frozenset({"ELU", "LEAKY_RELU", "HARD_SWISH", "ABS", "NEG"})


def tensors(model: Model, also: frozenset[str] = frozenset()) -> list[str]:
    """The names of the tensors inside and at the end of such groups, in order. ``also``: further operators
    that make a group one."""
    nodes = model.main.nodes
    roots = _roots(nodes)
    odd = [node for node in nodes if node.name in _ODD | also and _is_inside(node, roots)]
    kept: dict[str, None] = {}
    for root in {id(roots[id(node.outputs[0])]) for node in odd}:
        group = [node for node in nodes if _is_inside(node, roots) and id(roots[id(node.outputs[0])]) == root]
        for node in _behind_or_before(group, odd):
            kept[node.outputs[0].name] = None
    order = [node.outputs[0].name for node in nodes if node.outputs]
    return [name for name in order if name in kept]


def without_kernel_in_16_bits(model: Model) -> list[str]:
    """The names of what operators compute that have a kernel in float32 and none in int16, in order."""
    known = ops.registry(())
    found = []
    for node in model.main.nodes:
        types = known[node.name].types if node.name in known and not node.custom else ()
        reads = [read.dtype for read in node.inputs if read is not None]
        if DType.FLOAT32 in types and DType.INT16 not in types and DType.FLOAT32 in reads:
            found += [output.name for output in node.outputs]
    return found


def _roots(nodes: list[Node]) -> dict[int, Tensor]:
    """By tensor the one tensor of which it is a function, value by value: itself where there is none."""
    roots: dict[int, Tensor] = {}
    for node in nodes:
        for output in node.outputs:
            roots[id(output)] = output
        if not real_functions.is_known(node) or node.outputs[0].dtype not in (DType.FLOAT32, DType.BOOL):
            continue
        computed = [read for read in node.inputs if read is not None and not read.is_constant]
        found = {id(roots.get(id(read), read)): roots.get(id(read), read) for read in computed}
        uniform = all(_is_uniform(read) for read in node.inputs if read is not None and read.is_constant)
        if len(found) == 1 and uniform:
            root = next(iter(found.values()))
            if root.elements == node.outputs[0].elements and root.dtype is DType.FLOAT32:
                roots[id(node.outputs[0])] = root
    return roots


def _is_uniform(tensor: Tensor) -> bool:
    data = tensor.data
    return data is not None and data.size > 0 and bool((data.reshape(-1) == data.reshape(-1)[0]).all())


def _is_inside(node: Node, roots: dict[int, Tensor]) -> bool:
    return len(node.outputs) == 1 and roots[id(node.outputs[0])] is not node.outputs[0]


def _behind_or_before(group: list[Node], odd: list[Node]) -> list[Node]:
    """Operators of a group that an odd one computes with, or that compute with its result."""
    touched = {id(tensor) for node in odd for tensor in node.outputs}
    behind = []
    for node in group:
        if any(node is other for other in odd) or any(id(read) in touched for read in node.inputs):
            behind.append(node)
            touched |= {id(tensor) for tensor in node.outputs}
    needed = {id(read) for node in behind for read in node.inputs if read is not None}
    found = list(behind)
    for node in reversed(group):
        if id(node.outputs[0]) in needed and not any(node is other for other in behind):
            found.append(node)
            needed |= {id(read) for read in node.inputs if read is not None}
    return found
