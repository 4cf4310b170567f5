# SPDX-License-Identifier: Apache-2.0
"""A model as sources for the TFLM interpreter: the file as an array, its operators, its arena, the glue."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from tinyserve.compiler import passes
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.emit.ctext import array_lines
from tinyserve.compiler.emit.emit import Sources
from tinyserve.compiler.graph.reader import read
from tinyserve.compiler.graph.types import Model, Tensor
from tinyserve.compiler.names import identifier
from tinyserve.compiler.ops.support.tflm_resolver import resolver_methods
from tinyserve.compiler.passes.work.macs import macs, open_loops
from tinyserve.compiler.program import Buffer, Constant, MemoryPlan, Program, Target
from tinyserve.compiler.tflm.arena import Arena, arena_for
from tinyserve.errors import UnsupportedError
from tinyserve.templates import render_template

_VARIABLE = "VAR_HANDLE"


def interpret(data: bytes, target: Target, name: str = "model") -> Compiled:
    """What ``compile_model`` gives, for the interpreter: a program without kernel calls, and the glue.

    ``target`` decides the arena's margin. Raises ModelError, UnsupportedError (operators that TFLM does not
    have) and ToolError (no tflite-micro package to measure the arena with).
    """
    model = read(data)
    methods = resolver_methods(model)
    arena = arena_for(data, target)
    inputs, outputs = model.main.inputs, model.main.outputs
    weights = Constant(f"{name}_data", np.frombuffer(data, np.uint8), "uint8_t", alignment=16)
    program = Program(
        name, target, [], [], [weights], [_buffer(t) for t in inputs], [_buffer(t) for t in outputs],
        inputs, outputs, model.sha256,
    )  # fmt: skip
    files = _files(name, data, methods, arena, _variables(model))
    sources = Sources(files, (f"{name}.cpp", f"{name}_weights.c"))
    plan = MemoryPlan({}, {}, arena.total_bytes)
    return Compiled(name, data, model, _report(data), program, plan, sources)


def _buffer(tensor: Tensor) -> Buffer:
    return Buffer(identifier(tensor.name), tensor.nbytes, tensor.dtype, tensor=tensor)


def _variables(model: Model) -> int:
    return sum(node.name == _VARIABLE for graph in model.graphs for node in graph.nodes)


def _report(data: bytes) -> passes.PassReport:
    """MACs where they can be counted. TFLM runs the model as it is."""
    try:
        model = passes.load(data)
    except UnsupportedError:
        return passes.PassReport()
    count = macs(model)
    return passes.PassReport(macs_before=count, macs_after=count, open_loops=open_loops(model))


def _files(name: str, data: bytes, methods: object, arena: Arena, variables: int) -> dict[str, str | bytes]:
    context = {
        "name": name,
        "guard": f"{name.upper()}_H",
        "macro": f"TS_{name.upper()}_",
        "prefix": f"ts_{name}_",
        "operators": methods,
        "variables": variables,
        "model_bytes": len(data),
        "measured_bytes": arena.measured_bytes,
        "margin_bytes": arena.margin_bytes,
        "arena_bytes": arena.total_bytes,
        "lines": map(Markup, array_lines(np.frombuffer(data, np.uint8))),  # numbers, which are safe anywhere
    }
    return {
        f"{name}.h": render_template("tflm/model.h", context),
        f"{name}.cpp": render_template("tflm/model.cpp", context),
        f"{name}_weights.c": render_template("tflm/weights.c", context),
    }
