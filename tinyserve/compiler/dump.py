# SPDX-License-Identifier: Apache-2.0
"""Each stage of the compiler as readable text: graph, program, memory, c."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum

from tinyserve.compiler import ops
from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.emit.ctext import shape_text
from tinyserve.compiler.graph.types import Node, Tensor
from tinyserve.compiler.names import short_name
from tinyserve.compiler.ops.support.base import OpDef
from tinyserve.compiler.program import Buffer, Constant, ControlCall, KernelCall, MemoryPlan
from tinyserve.errors import UsageError
from tinyserve.words import counted

_MAP_WIDTH = 72


def dump(compiled: Compiled, stage: str) -> str:
    """One stage as text. Raises UsageError for a stage that there is none of."""
    if stage not in STAGES:
        raise UsageError(f"no stage {stage!r}", f"one of {', '.join(STAGES)}")
    return STAGES[stage](compiled).rstrip("\n")


def graph_text(compiled: Compiled) -> str:
    """Operators of the optimized graph in order: what they read, write and compute."""
    parts = []
    registry = ops.registry(compiled.program.target.operators)
    for graph in compiled.model.graphs:
        header = [f"{graph.name or 'main'}: {counted(len(graph.nodes), 'operator')}"]
        header += [f"  input   {_tensor(tensor)}" for tensor in graph.inputs]
        header += [f"  output  {_tensor(tensor)}" for tensor in graph.outputs]
        rows = [_operator_row(number, node, registry) for number, node in enumerate(graph.nodes)]
        parts.append(
            "\n".join([*header, "", _table(["#", "op", "inputs", "outputs", "MACs", "attributes"], rows)])
        )
    return "\n\n".join(parts)


def _operator_row(number: int, node: Node, registry: Mapping[str, OpDef]) -> list[str]:
    inputs = [_value(tensor) if tensor is not None else "-" for tensor in node.inputs]
    outputs = [_value(tensor) for tensor in node.outputs]
    description = registry.get(node.name)
    macs = description.macs(node) if description else 0
    return [str(number), node.name, ", ".join(inputs), ", ".join(outputs), f"{macs:,}", _attributes(node)]


def _attributes(node: Node) -> str:
    """The attributes that are not at their defaults."""
    if not is_dataclass(node.attributes):
        return ""
    shown = []
    for field in fields(node.attributes):
        value = getattr(node.attributes, field.name)
        if value != field.default:
            shown.append(f"{field.name}={value.name if isinstance(value, Enum) else value}")
    return " ".join(shown)


def program_text(compiled: Compiled) -> str:
    """Kernel calls in order: the function, what it reads and writes, its constants, and why this kernel."""
    program = compiled.program
    features = ", ".join(sorted(program.target.features)) or "portable C"
    header = (
        f"{program.name}: {len(program.calls)} calls for {features}, optimized for {program.target.optimize}"
    )
    rows = list(_call_rows(program.calls, ""))
    total = sum(call.macs for call in program.calls)
    flash = sum(constant.nbytes for constant in program.constants)
    footer = f"{total:,} MACs, {len(program.constants)} constants of {flash:,} bytes"
    columns = ["#", "layer", "op", "kernel", "variant", "reads", "writes", "constants", "MACs"]
    return "\n".join([header, "", _table(columns, rows), "", footer])


def _call_rows(calls: list[KernelCall], path: str) -> Iterator[list[str]]:
    """A row per call; calls of subgraphs follow the call that runs them: ``3.body.0``."""
    for number, call in enumerate(calls):
        yield _call_row(f"{path}{number}", call)
        if isinstance(call, ControlCall):
            for block in call.blocks:
                yield from _call_rows(block.calls, f"{path}{number}.{block.name}.")


def _call_row(number: str, call: KernelCall) -> list[str]:
    constants = {id(v): v for v in [*call.fields.values(), *call.args] if isinstance(v, Constant)}
    return [
        number,
        short_name(call.layer),
        call.op,
        call.function,
        f"{call.variant} ({call.reason})" if call.reason else call.variant,
        " ".join(buffer.name for buffer in call.reads),
        " ".join(buffer.name for buffer in call.writes),
        f"{sum(constant.nbytes for constant in constants.values()):,}",
        f"{call.macs:,}",
    ]


def memory_text(compiled: Compiled) -> str:
    """Every buffer's place and life, and the arena drawn layer by layer."""
    plan = compiled.plan
    order = sorted(plan.offsets, key=lambda b: (plan.lifetimes[b].first, plan.offsets[b], b.name))
    rows = [
        [
            _letter(number),
            buffer.name,
            buffer.kind,
            str(plan.offsets[buffer]),
            str(buffer.nbytes),
            f"{plan.lifetimes[buffer].first}..{plan.lifetimes[buffer].last}",
            plan.parts[plan.part(buffer)].memory.name if plan.parts else "",
        ]
        for number, buffer in enumerate(order)
    ]
    table = _table(["", "buffer", "kind", "offset", "bytes", "layers", "memory"], rows)
    head = [f"arena: {plan.arena_bytes:,} bytes", *places(plan)]
    return "\n".join([*head, "", table, "", *_map_lines(compiled, order)])


def places(plan: MemoryPlan) -> Iterator[str]:
    """What lies in which memory, where that was chosen."""
    for part in plan.parts:
        cost = f"about {part.memory.word_cycles:g} cycles for a word, an estimate"
        yield f"  {part.nbytes:,} bytes in {part.memory.name} ({cost})"
    for memory in sorted(set(plan.weights.values()), key=lambda one: one.name):
        nbytes = sum(constant.nbytes for constant, place in plan.weights.items() if place is memory)
        yield f"  {nbytes:,} bytes of constants in {memory.name}"


def _map_lines(compiled: Compiled, order: list[Buffer]) -> list[str]:
    """A row per layer, a column per piece of the arena, a letter per buffer that is alive there.

    Where an output lies over its input the output's letter is shown. A * marks the layer that needs most.
    """
    plan, calls = compiled.plan, compiled.program.calls
    if not plan.arena_bytes or not calls:
        return []
    width = min(_MAP_WIDTH, plan.arena_bytes)
    names = [short_name(call.layer) for call in calls]
    needs, rows = [], []
    for layer in range(len(calls)):
        cells, reach = ["."] * width, 0
        for number, buffer in enumerate(order):
            life = plan.lifetimes[buffer]
            if life.first <= layer <= life.last and buffer.nbytes:
                start, end = plan.offsets[buffer], plan.offsets[buffer] + buffer.nbytes
                reach = max(reach, end)
                for cell in range(start * width // plan.arena_bytes, -(-end * width // plan.arena_bytes)):
                    cells[cell] = _letter(number)
        needs.append(reach)
        rows.append("".join(cells))
    peak = max(needs)
    label = max(map(len, names))
    return [
        f"{'*' if need == peak else ' '} {layer:>3} {name:<{label}} |{row}| {need:>8,}"
        for layer, (name, row, need) in enumerate(zip(names, rows, needs, strict=True))
    ]


def _letter(number: int) -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return alphabet[number % len(alphabet)]


def c_text(compiled: Compiled) -> str:
    """The generated model, without its constants."""
    text = compiled.sources.files[f"{compiled.name}.c"]
    return text if isinstance(text, str) else text.decode()


def _tensor(tensor: Tensor) -> str:
    text = f"{tensor.name}: {_value(tensor, named=False)}"
    if tensor.quantization and not tensor.quantization.per_channel:
        text += f", scale {tensor.scale:.6g}, zero point {tensor.zero_point}"
    return text


def _value(tensor: Tensor, named: bool = True) -> str:
    name = f"{short_name(tensor.name)} " if named and not tensor.is_constant else ""
    return f"{name}{tensor.dtype.value}[{shape_text(tensor.shape)}]"


def _table(columns: Sequence[str], rows: list[list[str]]) -> str:
    """Columns as wide as they must be; numbers to the right."""
    cells = [list(columns), *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    lines = []
    for row in cells:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _is_number(text: str) -> bool:
    return text.replace(",", "").lstrip("-").isdigit()


STAGES: dict[str, Callable[[Compiled], str]] = {
    "graph": graph_text,
    "program": program_text,
    "memory": memory_text,
    "c": c_text,
}
