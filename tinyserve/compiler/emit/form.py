# SPDX-License-Identifier: Apache-2.0
"""The two forms of a model's functions: of a static model, and of one whose context is the caller's."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.program import Instance


@dataclass(frozen=True)
class Form:
    """How functions take the context: as parameters of the interface (``only`` parameter, or before others),
    and as parameter and argument of a layer. ``next_layer`` and ``in_rows`` say where an inference in
    steps is: at which layer, and whether some of its rows are done; ``fed_rows``: how many rows of its input
    were fed."""

    instance: Instance
    only: str
    first: str
    arena: str
    next_layer: str
    in_rows: str
    fed_rows: str
    layer_parameter: str
    layer_argument: str

    @property
    def rows_parameters(self) -> str:
        """The parameters of a function that takes a step of a layer by rows."""
        return f"{self.layer_parameter}, int begin" if self.layer_argument else "int begin"


def form(instance: Instance, prefix: str, arena: str) -> Form:
    """The form of a model's functions. ``arena`` is the name of the static arena."""
    if instance == "static":
        at = (f"{prefix}next", f"{prefix}in_rows", f"{prefix}fed_rows")
        return Form(instance, "void", "", arena, *at, "void", "")
    context = f"{prefix.rstrip('_')} *self"
    at = ("self->next", "self->in_rows", "self->fed_rows")
    return Form(instance, context, f"{context}, ", "arena", *at, "uint8_t *arena", "arena")
