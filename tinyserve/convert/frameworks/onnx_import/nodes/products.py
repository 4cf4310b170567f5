# SPDX-License-Identifier: Apache-2.0
"""Matrix products."""

from __future__ import annotations

import string

import numpy as np

from tinyserve.convert.frameworks.onnx_import import arithmetic, linear, movement, reduction
from tinyserve.convert.frameworks.onnx_import.context import Context
from tinyserve.convert.frameworks.onnx_import.node import Node, handles
from tinyserve.convert.frameworks.onnx_import.values import Value


@handles("MatMul")
def _matmul(ctx: Context, node: Node) -> Value:
    return linear.matmul(ctx, node.input(0), node.input(1))


@handles("Gemm")
def _gemm(ctx: Context, node: Node) -> Value:
    a, b, c = node.input(0), node.input(1), node.optional(2)
    alpha, beta = float(node.attribute("alpha", 1.0)), float(node.attribute("beta", 1.0))
    if node.attribute("transA", 0):
        a = movement.transpose(ctx, a, (1, 0))
    if b.data is not None and (c is None or (c.data is not None and c.data.size in (1, node.shapes[0][-1]))):
        weights = (b.data if node.attribute("transB", 0) else b.data.T) * np.float32(alpha)
        bias = None
        if c is not None and c.data is not None:
            bias = np.broadcast_to(c.data.reshape(-1) * np.float32(beta), (weights.shape[0],))
        if c is None or c.rank < 2 or c.shape[0] == 1 or node.shapes[0][0] == 1:
            return linear.fully_connected(ctx, a, weights, bias)
    if node.attribute("transB", 0):
        b = movement.transpose(ctx, b, (1, 0))
    product = linear.matmul(ctx, a, b)
    if alpha != 1:
        product = arithmetic.multiply(ctx, product, ctx.scalar(alpha))
    if c is None:
        return product
    return arithmetic.add(ctx, product, c if beta == 1 else arithmetic.multiply(ctx, c, ctx.scalar(beta)))


@handles("Einsum")
def _einsum(ctx: Context, node: Node) -> Value:
    values = [value for value in node.inputs if value is not None]
    terms, result = _terms(node, node.attribute("equation"), [value.rank for value in values])
    pairs = [_diagonal(ctx, value, term) for value, term in zip(values, terms, strict=True)]
    values, terms = [value for value, _ in pairs], [term for _, term in pairs]
    value, term = values[0], terms[0]
    for index in range(1, len(values)):
        later = set("".join(terms[index + 1 :])) | set(result)
        value, term = _contracted(ctx, (value, term), (values[index], terms[index]), later)
    value, term = _summed(ctx, value, term, set(result))
    return movement.transpose(ctx, value, [term.index(letter) for letter in result])


def _terms(node: Node, equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """The letters of each input and of the result; '...' becomes letters that are not used."""
    left, _, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    spare = [letter for letter in string.ascii_letters if letter not in equation]
    dots = max(
        (rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True) if "..." in t),
        default=0,
    )
    filled = []
    for term, rank in zip(terms, ranks, strict=True):
        own = rank - len(term.replace("...", ""))
        filled.append(term.replace("...", "".join(spare[dots - own : dots])))
    if "->" in equation:
        return filled, right.replace("...", "".join(spare[:dots]))
    letters = "".join(filled)
    single = sorted(
        letter for letter in set(letters) if letters.count(letter) == 1 and letter not in spare[:dots]
    )
    return filled, "".join(spare[:dots]) + "".join(single)


def _diagonal(ctx: Context, value: Value, term: str) -> tuple[Value, str]:
    """Each letter once: of two axes with the same one, what lies at equal places."""
    double = next((letter for letter in term if term.count(letter) > 1), None)
    if double is None:
        return value, term
    first, second = [axis for axis, letter in enumerate(term) if letter == double][:2]
    others = [axis for axis in range(value.rank) if axis not in (first, second)]
    extent = value.shape[first]
    moved = movement.transpose(ctx, value, [*others, first, second])
    rows = movement.reshape(ctx, moved, (*(value.shape[axis] for axis in others), extent * extent))
    taken = movement.gather(ctx, rows, ctx.constant(np.arange(extent) * (extent + 1)), rows.rank - 1)
    return _diagonal(ctx, taken, "".join(term[axis] for axis in others) + double)


def _summed(ctx: Context, value: Value, term: str, kept: set[str]) -> tuple[Value, str]:
    """Without the axes that nothing wants."""
    gone = [axis for axis, letter in enumerate(term) if letter not in kept]
    if not gone:
        return value, term
    value = reduction.reduce(ctx, "SUM", value, gone, False)
    return value, "".join(letter for letter in term if letter in kept)


def _contracted(
    ctx: Context, left: tuple[Value, str], right: tuple[Value, str], later: set[str]
) -> tuple[Value, str]:
    """The product of two, summed over letters that both have and nobody wants later."""
    a, s = _summed(ctx, *left, later | set(right[1]))
    b, t = _summed(ctx, *right, later | set(left[1]))
    batch = [c for c in s if c in t and c in later]
    inner = [c for c in s if c in t and c not in later]
    rows, columns = [c for c in s if c not in t], [c for c in t if c not in s]
    extents = dict(zip(s + t, a.shape + b.shape, strict=True))
    size = {name: int(np.prod([extents[c] for c in group])) for name, group in
            (("rows", rows), ("inner", inner), ("columns", columns))}  # fmt: skip
    if not inner:
        inner_free = [*batch, *rows, *columns]
        first = _aligned(ctx, a, s, inner_free)
        return arithmetic.multiply(ctx, first, _aligned(ctx, b, t, inner_free)), "".join(inner_free)
    lead = [extents[c] for c in batch]
    a = movement.transpose(ctx, a, [s.index(c) for c in (*batch, *rows, *inner)])
    b = movement.transpose(ctx, b, [t.index(c) for c in (*batch, *inner, *columns)])
    a = movement.reshape(ctx, a, (*lead, size["rows"], size["inner"]))
    b = movement.reshape(ctx, b, (*lead, size["inner"], size["columns"]))
    product = linear.matmul(ctx, a, b)
    letters = [*batch, *rows, *columns]
    return movement.reshape(ctx, product, [extents[c] for c in letters]), "".join(letters)


def _aligned(ctx: Context, value: Value, term: str, letters: list[str]) -> Value:
    """With axes of extent 1 where a letter is missing."""
    own = [letter for letter in letters if letter in term]
    moved = movement.transpose(ctx, value, [term.index(letter) for letter in own])
    extents = dict(zip(term, value.shape, strict=True))
    return movement.reshape(
        ctx, moved, [extents.get(letter, 1) if letter in term else 1 for letter in letters]
    )
