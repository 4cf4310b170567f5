# SPDX-License-Identifier: Apache-2.0
"""Activations that the converter writes as several operators, which quantizers would round one by one.

Softplus is log(1 + exp(x)): in int8 the exponential alone takes all of the range. Such a group is a function
of one value, which stays in float in the file, between a DEQUANTIZE and a QUANTIZE, and which the compiler
makes a table of.
"""

from __future__ import annotations

from tinyserve.compiler.graph.types import DType, Model, Operator, Tensor
from tinyserve.compiler.passes import real_functions

_ODD = frozenset(
    {
        "EXP", "LOG", "GELU", "SIGN", "SIN", "COS", "SQRT", "RSQRT", "DIV", "SELECT", "SELECT_V2", "SQUARE",
        "FLOOR", "CEIL", "ROUND", "SQUARED_DIFFERENCE",
    }
)  # fmt: skip
"""What has no kernel in int8, or loses most of its digits there."""
ODD_IN_16_BITS = frozenset({"ELU", "LEAKY_RELU", "HARD_SWISH", "ABS", "NEG"})


def tensors(model: Model, also: frozenset[str] = frozenset()) -> list[str]:
    """The names of the tensors inside and at the end of such groups, in order. ``also``: further operators
    that make a group one."""
    operators = model.main.operators
    roots = _roots(operators)
    odd = [op for op in operators if op.name in _ODD | also and _is_inside(op, roots)]
    kept: dict[str, None] = {}
    for root in {id(roots[id(op.outputs[0])]) for op in odd}:
        group = [op for op in operators if _is_inside(op, roots) and id(roots[id(op.outputs[0])]) == root]
        for op in _behind_or_before(group, odd):
            kept[op.outputs[0].name] = None
    order = [op.outputs[0].name for op in operators if op.outputs]
    return [name for name in order if name in kept]


def _roots(operators: list[Operator]) -> dict[int, Tensor]:
    """By tensor the one tensor of which it is a function, value by value: itself where there is none."""
    roots: dict[int, Tensor] = {}
    for op in operators:
        for output in op.outputs:
            roots[id(output)] = output
        if not real_functions.is_known(op) or op.outputs[0].dtype not in (DType.FLOAT32, DType.BOOL):
            continue
        computed = [read for read in op.inputs if read is not None and not read.is_constant]
        found = {id(roots.get(id(read), read)): roots.get(id(read), read) for read in computed}
        uniform = all(_is_uniform(read) for read in op.inputs if read is not None and read.is_constant)
        if len(found) == 1 and uniform:
            root = next(iter(found.values()))
            if root.elements == op.outputs[0].elements and root.dtype is DType.FLOAT32:
                roots[id(op.outputs[0])] = root
    return roots


def _is_uniform(tensor: Tensor) -> bool:
    data = tensor.data
    return data is not None and data.size > 0 and bool((data.reshape(-1) == data.reshape(-1)[0]).all())


def _is_inside(op: Operator, roots: dict[int, Tensor]) -> bool:
    return len(op.outputs) == 1 and roots[id(op.outputs[0])] is not op.outputs[0]


def _behind_or_before(group: list[Operator], odd: list[Operator]) -> list[Operator]:
    """Operators of a group that an odd one computes with, or that compute with its result."""
    touched = {id(tensor) for op in odd for tensor in op.outputs}
    behind = []
    for op in group:
        if any(op is other for other in odd) or any(id(read) in touched for read in op.inputs):
            behind.append(op)
            touched |= {id(tensor) for tensor in op.outputs}
    needed = {id(read) for op in behind for read in op.inputs if read is not None}
    found = list(behind)
    for op in reversed(group):
        if id(op.outputs[0]) in needed and not any(op is other for other in behind):
            found.append(op)
            needed |= {id(read) for read in op.inputs if read is not None}
    return found
