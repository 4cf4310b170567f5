# SPDX-License-Identifier: Apache-2.0
"""The page ``docs/operators.md``: ``python -m tinyserve.report.operators > docs/operators.md``."""

from __future__ import annotations

from collections.abc import Collection

from tinyserve.compiler.graph.types import DType
from tinyserve.compiler.ops import registry
from tinyserve.compiler.ops.support.tflm_resolver import CUSTOM_METHODS, METHODS
from tinyserve.compiler.tflm.exceptions import OPTIONS, TYPES, Refusal

_INTRODUCTION = """\
# Operators

Written by `python -m tinyserve.report.operators`; do not edit.

`aot` (the default) compiles to C, `tflm` takes the TensorFlow Lite Micro interpreter along
(`--engine tflm`). Types are those of the values worked on that the compiler has kernels for; weights,
positions and conditions may have types of their own. A model that asks for more ends in one message
that names every such layer. An operator that neither has can be added from outside:
[an operator of your own](guide/custom-operators.md).

Weights, biases, axes, positions and paddings may be computed at run time wherever TFLM takes them so; the
portable kernels take such weights. No such value makes a kernel read or write outside of its tensors: where
it does not fit the shapes that were compiled, positions mean the nearest end and other outputs are 0.

| operator | aot | tflm | types (aot) | limits (aot) |
|---|---|---|---|---|
"""


_EXCEPTIONS = """
## What only the interpreter runs

Every type of every operator that TFLM runs compiles: integers to the same bytes, float32 to values that
differ from TFLM's by rounding alone (the bench allows 1e-4 of an output's largest value). There are the
following exceptions. TFLM computes something there, though not what the format means: the compiler refuses
it, and `--engine tflm` runs it as it is.

| operator | what | TFLM |
|---|---|---|
"""


def page() -> str:
    """The page as Markdown: one row per operator that either engine has, sorted by name, and what the
    compiler refuses though TFLM runs it.
    """
    ours, theirs = registry(), METHODS.keys() | CUSTOM_METHODS.keys()
    rows = []
    for name in sorted(ours.keys() | theirs, key=str.upper):
        op = ours.get(name)
        types, limits = (_types(op.types), op.limits) if op else ("", "")
        rows.append(f"| {name} | {_yes(op is not None)} | {_yes(name in theirs)} | {types} | {limits} |\n")
    return _INTRODUCTION + "".join(rows) + _EXCEPTIONS + "".join(map(_exception, (*TYPES, *OPTIONS)))


def _exception(refusal: Refusal) -> str:
    return f"| {', '.join(refusal.operators)} | {'; '.join(refusal.what)} | {refusal.why} |\n"


def _types(types: Collection[DType]) -> str:
    """What models are made of comes first."""
    return ", ".join(dtype.value for dtype in sorted(types, key=_place)) if types else "any"


def _place(dtype: DType) -> tuple[int, str]:
    common = (DType.INT8, DType.INT16, DType.FLOAT32, DType.INT32, DType.INT64, DType.BOOL)
    return (common.index(dtype) if dtype in common else len(common), dtype.value)


def _yes(has: bool) -> str:
    return "yes" if has else "—"


if __name__ == "__main__":
    print(page(), end="")
