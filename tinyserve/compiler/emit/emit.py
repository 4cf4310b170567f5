# SPDX-License-Identifier: Apache-2.0
"""The emitter: a program and its memory plan as readable C.

Six files (``model.c``, ``model.h``, ``model.hpp``, ``model_values.h``, ``weights.c``, ``weights.h``; with
another name than "model" ``kws.c``, ``kws.h``, ``kws.hpp``, ``kws_values.h``, ``kws_weights.c``,
``kws_weights.h``) and a copy of each kernel file that they need.
The text depends on the program alone: the same bytes on every machine and in every directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from tinyserve import __version__
from tinyserve.compiler.emit.arenas import (
    arena_definitions,
    arena_names,
    arena_places,
    arena_sizes,
    section_macro,
)
from tinyserve.compiler.emit.bands import band_tables, stage_function
from tinyserve.compiler.emit.calls import control_call, kernel_call, place, shared_call, shared_kernel
from tinyserve.compiler.emit.cpp import wrapper
from tinyserve.compiler.emit.ctext import array_lines, number, shape_text
from tinyserve.compiler.emit.events import EventsText
from tinyserve.compiler.emit.feed import FeedText
from tinyserve.compiler.emit.form import form
from tinyserve.compiler.emit.interface import InterfaceText
from tinyserve.compiler.emit.kernel_files import KERNEL_DIRECTORY, collect
from tinyserve.compiler.emit.parameters import misfit, missing, structs, unknown
from tinyserve.compiler.emit.sharing import sharing
from tinyserve.compiler.emit.values import header as values_header
from tinyserve.compiler.graph.types import Tensor
from tinyserve.compiler.names import UniqueNames, short_name
from tinyserve.compiler.program import (
    STATIC,
    BandCall,
    Block,
    Buffer,
    Constant,
    ControlCall,
    Interface,
    KernelCall,
    MemoryPlan,
    MemoryRegion,
    Operand,
    Program,
    every_call,
)
from tinyserve.errors import ToolError
from tinyserve.resources import LICENCE_TAG, licence

MARK = "tinyserve"
"""A word in the first line of every generated file, by which a later run knows the file as its own."""

_COMPILER_HEADER = "common/compiler.h"


@dataclass(frozen=True)
class Sources:
    """Generated files by path (relative, with ``/``), and those of them that a compiler must be given."""

    files: dict[str, str | bytes]
    compile: tuple[str, ...]


def emit(program: Program, plan: MemoryPlan, interface: Interface = STATIC) -> Sources:
    """The C sources of a program."""
    return _Emitter(program, plan, interface).sources()


class _Emitter:
    """Writes one program. ``prefix`` is ts_<name>_, ``macro`` is TS_<NAME>_."""

    def __init__(self, program: Program, plan: MemoryPlan, interface: Interface) -> None:
        self.program = program
        self.plan = plan
        self.shared = interface.shared
        self.labels = interface.labels
        self.prefix = f"ts_{program.name}_"
        self.macro = self.prefix.upper()
        self.weights = "weights" if program.name == "model" else f"{program.name}_weights"
        static = f"ts_{self.shared.name}_arena" if self.shared else f"{self.prefix}arena"
        self.form = form(interface.instance, self.prefix, static)
        names = UniqueNames(
            "layers", "layer_functions", "layer_names", "null", "arena", "self", "params", "end_of_inference"
        )
        self.layers = [names.take(_layer_name(call)) for call in program.calls]
        self.calls = list(every_call(program.calls))
        self.names = dict(zip(program.calls, self.layers, strict=True))
        for call in self.calls:
            if isinstance(call, ControlCall):
                for inner in chain.from_iterable(block.calls for block in call.blocks):
                    self.names[inner] = names.take(_layer_name(inner))
        self.stages = {
            stage: names.take(f"{short_name(stage.layer)}_rows")
            for call in self.calls
            if isinstance(call, BandCall)
            for stage in call.stages
        }
        self.by_rows = {call: names.take(f"{self.names[call]}_some_rows") for call in program.bands_in_steps}
        self.sharing = sharing(program, plan)
        self.kernels = {
            call: names.take(f"{self.names[call]}_kernel")
            for call in dict.fromkeys(self.sharing.kernels.values())
        }
        blocks = [block for call in self.calls if isinstance(call, ControlCall) for block in call.blocks]
        self.blocks = {block: names.take(f"run_{block.name}") for block in blocks}
        others = [name for name in (self.shared.models if self.shared else ()) if name != program.name]
        self.events = EventsText(program, self.form, self.prefix, self.macro, self.argument)
        self.feed = FeedText(program, self.form, self.prefix, self.macro, self.names, self.arenas)
        self.places = arena_places(program, plan, self.form.arena)
        self.interface = InterfaceText(
            program, self.form, self.prefix, self.macro, self.alignment, ", ".join(others),
            self.names, self.argument, self.places.__getitem__, self.events, self.by_rows, self.sharing,
            self.feed,
        )  # fmt: skip

    def sources(self) -> Sources:
        self.check_parameters()
        name = self.program.name
        headers = [call.header for call in self.calls if call.header]
        extra = list(chain.from_iterable(call.sources for call in self.calls))
        files: dict[str, str | bytes] = {
            f"{name}.c": _text(self.model_c()),
            f"{name}.h": _text(self.model_h()),
            f"{name}.hpp": _text(self.model_hpp()),
            f"{name}_values.h": _text(self.values_h()),
            f"{self.weights}.c": _text(self.weights_c()),
            f"{self.weights}.h": _text(self.weights_h()),
            **(kernels := collect([_COMPILER_HEADER, *headers, *extra], self.program.target.operators)),
        }
        if kernels:
            files[f"{KERNEL_DIRECTORY}/LICENSE"] = f"The licence of {MARK}'s kernels.\n\n{licence()}"
        compiled = [f"{KERNEL_DIRECTORY}/{source}" for source in dict.fromkeys(extra)]
        return Sources(files, (f"{name}.c", f"{self.weights}.c", *compiled))

    def check_parameters(self) -> None:
        """A parameter that is forgotten would be a zero in C, without a word."""
        for call in self.calls:
            if call.params is None:
                continue
            params_type = call.params.c_type
            fields = structs(tuple(collect([call.header], self.program.target.operators).values()))
            if params_type not in fields:
                continue  # an operator from outside may write its struct in a form of its own
            wrong = {
                "lacks": missing(fields, params_type, call.fields),
                "has no": unknown(fields, params_type, call.fields),
            }
            for what, names in wrong.items():
                if names:
                    raise ToolError(
                        f'layer "{call.layer}" ({call.op}): {params_type} {what} {", ".join(names)}',
                        f"give in lower() the fields of the struct in kernels/{call.header}, each of them",
                    )
            for name, value in call.fields.items():
                problem = misfit(fields, params_type, name, value)
                if problem:
                    raise ToolError(
                        f'layer "{call.layer}" ({call.op}): {params_type}.{name} {problem}',
                        f"give in lower() what the field of the struct in kernels/{call.header} can hold",
                    )

    @property
    def alignment(self) -> int:
        return self.shared.alignment if self.shared else self.plan.alignment

    @property
    def arena_bytes(self) -> int:
        return self.shared.nbytes if self.shared else self.plan.arena_bytes

    # --- model.h

    def model_h(self) -> Iterator[str]:
        yield from self.banner("the interface")
        guard = f"{self.macro}H"
        yield from (f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "")
        yield f'#define {self.macro}SHA256 "{self.program.model_sha256}"'
        yield f"#define {self.macro}ARENA_BYTES {self.arena_bytes}"
        yield from arena_sizes(self.plan, self.macro)
        yield f"#define {self.macro}ARENA_ALIGNMENT {self.alignment}"
        yield f"#define {self.macro}LAYER_COUNT {len(self.program.calls)}"
        yield from self.port_macros("INPUT", self.program.input_tensors)
        yield from self.port_macros("OUTPUT", self.program.output_tensors)
        yield from self.feed.macros()
        yield from self.events.macros()
        yield from ("", "#ifdef __cplusplus", 'extern "C" {', "#endif", "")
        yield from self.interface.declarations()
        yield from ("", "#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard} */")

    def model_hpp(self) -> Iterator[str]:
        yield from self.banner("the interface for C++")
        yield from wrapper(self.program, self.form, self.prefix, self.macro)

    def values_h(self) -> Iterator[str]:
        yield from self.banner("the interface in real values and names")
        yield from values_header(self.program, self.form, self.prefix, self.macro, self.labels)

    def port_macros(self, kind: str, tensors: list[Tensor]) -> Iterator[str]:
        """Macros of each input (output), and lists over all of them for firmware that knows no model."""
        base = f"#define {self.macro}{kind}_"
        yield ""
        yield f"{base}COUNT {len(tensors)}"
        for index, tensor in enumerate(tensors):
            one = f"{base}{index}_"
            yield f"{one}BYTES {tensor.nbytes}"
            yield f"{one}RANK {len(tensor.shape)}"
            yield f"{one}SHAPE {_braces(tensor.shape or (1,))}"
            yield f"{one}TYPE {tensor.dtype.c_type}"
            yield f"{one}SCALE {number(_scale(tensor))}"
            yield f"{one}ZERO_POINT {tensor.zero_point}"
            if tensor.quantization is not None and tensor.quantization.per_channel:
                yield f"{one}CHANNEL_SCALES {_braces([number(s) for s in tensor.quantization.scales])}"
                yield f"{one}CHANNEL_ZERO_POINTS {_braces(list(tensor.quantization.zero_points))}"
        yield f"/* Of all {kind.lower()}s; kinds are i(nteger), u(nsigned), f(loat). */"
        yield f"{base}BYTES {_braces([tensor.nbytes for tensor in tensors])}"
        yield f"{base}ITEM_BYTES {_braces([tensor.dtype.itemsize for tensor in tensors])}"
        yield f"{base}KINDS {_braces([repr(tensor.dtype.c_type[0]) for tensor in tensors])}"
        yield f"{base}SCALES {_braces([number(_scale(tensor)) for tensor in tensors])}"
        yield f"{base}ZERO_POINTS {_braces([tensor.zero_point for tensor in tensors])}"

    # --- weights.c and weights.h

    def weights_h(self) -> Iterator[str]:
        yield from self.banner("declarations of the constants")
        guard = f"{self.macro}WEIGHTS_H"
        yield from (f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "")
        yield from (
            "#ifdef __cplusplus",
            f"#define {self.macro}ALIGNED(bytes) alignas(bytes)",
            'extern "C" {',
        )
        yield from ("#else", f"#define {self.macro}ALIGNED(bytes) _Alignas(bytes)", "#endif", "")
        yield "/* Where the constants lie may be chosen, too: external flash. They are read as memory is. */"
        yield f"#if defined({self.attribute}) && defined(__AVR__) && !defined(__AVR_PM_BASE_ADDRESS__)"
        why = "this AVR reads its flash by instructions of its own: constants can't lie there"
        yield f'#error "{self.attribute}: {why}"'
        yield "#endif"
        yield from (f"#ifndef {self.attribute}", f"#define {self.attribute}", "#endif")
        for index, memory in enumerate(self.weight_memories, 1):
            yield from section_macro(f"{self.macro}WEIGHTS_{index}_ATTRIBUTE", memory, "constants")
        yield ""
        for constant in self.program.constants:
            yield f"{self.declaration(constant, 'extern ')};"
        yield from ("", "#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard} */")

    def weights_c(self) -> Iterator[str]:
        yield from self.banner("the constants")
        yield from (f'#include "{KERNEL_DIRECTORY}/{_COMPILER_HEADER}"', f'#include "{self.weights}.h"')
        for constant in self.program.constants:
            about = ", ".join(
                filter(
                    None, [shape_text(constant.values.shape), f"{constant.nbytes} bytes", constant.comment]
                )
            )
            yield ""
            yield f"/* {_comment(about)} */"
            yield f"{self.declaration(constant)} = {{"
            yield from array_lines(constant.values)
            yield "};"

    def declaration(self, constant: Constant, storage: str = "") -> str:
        """With its alignment at both places: compilers assume the platform's usual one where none is said."""
        alignment = max(constant.alignment, constant.values.itemsize)
        size = max(1, constant.values.size)
        kind = f"{storage}const {constant.c_type}"
        place = self.attribute
        if constant in self.plan.weights:
            index = 1 + self.weight_memories.index(self.plan.weights[constant])
            place = f"{self.macro}WEIGHTS_{index}_ATTRIBUTE"
        return f"{self.macro}ALIGNED({alignment}) {kind} {self.prefix}{constant.name}[{size}] {place}"

    @property
    def weight_memories(self) -> list[MemoryRegion]:
        """The memories, other than their usual one, that constants lie in."""
        return sorted(set(self.plan.weights.values()), key=lambda memory: memory.name)

    @property
    def attribute(self) -> str:
        return f"{self.macro}WEIGHTS_ATTRIBUTE"

    # --- model.c

    def model_c(self) -> Iterator[str]:
        yield from self.banner("the model")
        yield from (
            f'#include "{KERNEL_DIRECTORY}/{_COMPILER_HEADER}"',
            f'#include "{self.program.name}.h"',
            "",
        )
        yield from ("#include <stddef.h>", "")
        if self.program.constants:
            yield f'#include "{self.weights}.h"'
        for header in sorted({call.header for call in self.calls if call.header}):
            yield f'#include "{KERNEL_DIRECTORY}/{header}"'
        yield from self.arena_definition()
        for call in self.program.calls:
            yield from self.layer(call)
        yield from self.interface.definitions()

    def arena_definition(self) -> Iterator[str]:
        yield ""
        if self.shared and self.form.instance == "static":
            yield f'#include "{self.shared.name}_arena.h"'
            yield ""
        elif self.form.instance == "static":
            yield from arena_definitions(self.plan, self.form.arena, self.macro)
            yield ""
        yield "/* The arena's map: where each value lies, its bytes, and the first and last layer of its life"
        yield f"   (-1: before the first, {len(self.program.calls)}: after the last). */"
        yield from self.arena_map(self.plan, "")

    def arena_map(self, plan: MemoryPlan, base: str) -> Iterator[str]:
        order = sorted(plan.offsets, key=lambda b: (plan.lifetimes[b].first, plan.offsets[b], b.name))
        if not order:
            return
        width = max(len(buffer.name) for buffer in order)
        yield "enum {"
        for buffer in order:
            life = plan.lifetimes[buffer]
            place = f"at_{buffer.name:<{width}} = {base}{plan.offset(buffer)},"
            about = f"{buffer.nbytes:>7} bytes, layers {life.first}..{life.last}, {buffer.kind}"
            yield f"  {place:<{width + 14 + len(base)}} /* {about} */"
        yield "};"

    def layer(self, call: KernelCall) -> Iterator[str]:
        if isinstance(call, ControlCall):
            for block in call.blocks:
                yield from self.block(block, call.region)
        if isinstance(call, BandCall):
            yield from self.band(call)
            return
        if call in self.sharing.same:
            yield from ("", f"/* {self.names[call]} is {self.names[self.sharing.same[call]]} once more. */")
            return
        if call in self.kernels:
            yield from ("", "/* What several layers do, each with its own values. */")
            yield from shared_kernel(call, self.kernels[call], self)
        yield from ("", *call.code, *self.head(call))
        if isinstance(call, ControlCall):
            blocks = [[f"{self.blocks[one]}({self.form.layer_argument});"] for one in call.blocks]
            yield from (*control_call(call, blocks, self), "}")
            return
        if self.form.layer_argument and not any(
            isinstance(one, Buffer) for one in [*call.args, *call.fields.values()]
        ):
            yield f"  (void){self.form.layer_argument};"
        if call in self.sharing.kernels:
            yield from (shared_call(call, self.kernels[self.sharing.kernels[call]], self), "}")
            return
        yield from (*kernel_call(call, self), "}")

    def head(self, call: KernelCall) -> Iterator[str]:
        """What a layer's function begins with."""
        yield f"/* {_comment(call.op + (': ' + call.comment if call.comment else ''))}{_work(call)} */"
        yield f"TS_LAYER {self.names[call]}({self.form.layer_parameter}) {{"

    def band(self, call: BandCall) -> Iterator[str]:
        """Layers by rows: a function for the steps of each, the tables, and what runs them."""
        for stage in call.stages:
            yield from stage_function(stage, self.stages[stage], self, self.plan.part)
        yield from band_tables(call, self.names[call], self.stages, self.plan.part)
        if call is self.program.fed_band:
            yield from ("", self.interface.one_by_one, *self.head(call))
            yield "  /* Its steps are taken when rows are fed: none is left. */"
            yield from ([f"  (void){self.form.layer_argument};"] if self.form.layer_argument else [])
            yield from ("}", "#endif")
            return
        yield from ("", *self.head(call), self.arenas())
        yield from (f"  ts_row_band_run(&{self.names[call]}_band, arenas);", "}")
        if call in self.by_rows:
            yield from self.interface.stepped(*self.rows_of(call))

    def rows_of(self, call: BandCall) -> Iterator[str]:
        """A band one step at a time, for inferences in steps."""
        yield f"static int {self.by_rows[call]}({self.form.rows_parameters}) {{"
        yield self.arenas()
        yield from (f"  return ts_row_band_more(&{self.names[call]}_band, arenas, begin);", "}")

    def arenas(self) -> str:
        """All arenas, for what finds its values by the numbers of theirs."""
        return f"  uint8_t *const arenas[] = {{{', '.join(arena_names(self.plan, self.form.arena))}}};"

    def block(self, block: Block, region: Buffer) -> Iterator[str]:
        """A subgraph: its part of the arena's map, its layers, and the function that runs them."""
        yield from ("", f"/* Subgraph {_comment(block.name)}: layers 0..{len(block.calls) - 1}. */")
        yield from self.arena_map(block.plan, f"at_{region.name} + ")
        for call in block.calls:
            yield from self.layer(call)
        argument = self.form.layer_argument
        yield from ("", f"static void {self.blocks[block]}({self.form.layer_parameter}) {{")
        yield from (f"  {self.names[call]}({argument});" for call in block.calls)
        if argument and not block.calls:
            yield f"  (void){argument};"
        yield "}"

    def argument(self, operand: Operand | None) -> str:
        return place(operand, self)

    def constant(self, constant: Constant) -> str:
        return self.prefix + constant.name

    def buffer(self, buffer: Buffer) -> str:
        return f"(void *)({self.places[buffer]} + at_{buffer.name})"

    # --- what all files begin with

    def banner(self, role: str) -> Iterator[str]:
        program = self.program
        yield f"/* {program.name}: {role}. Written by {MARK} {__version__}; compile again rather than edit."
        yield f" * {LICENCE_TAG}"
        yield " * (of the code; the constants are the model's and under its licence)"
        yield " *"
        yield f" * model   sha256 {program.model_sha256}"
        for kind, tensors in (("input", program.input_tensors), ("output", program.output_tensors)):
            for index, tensor in enumerate(tensors):
                yield f" * {kind} {index}  {_comment(describe(tensor))}"
        yield f" * arena   {self.plan.arena_bytes} bytes"
        yield f" * flash   {sum(c.nbytes for c in program.constants)} bytes of constants"
        yield f" * work    {sum(call.macs for call in program.calls):,} multiply-accumulates"
        yield " */"


def describe(tensor: Tensor) -> str:
    """A tensor in a line: ``serving_default_x: int8 1x49x10x1, scale 0.58470287, zero point 83``."""
    line = f"{tensor.name}: {tensor.dtype.value} {shape_text(tensor.shape)}"
    if tensor.quantization is None or tensor.quantization.per_channel:
        return line
    return f"{line}, scale {number(_scale(tensor)).rstrip('f')}, zero point {tensor.zero_point}"


def _layer_name(call: KernelCall) -> str:
    """Kernels and buffers have prefixes of their own, which no layer may take."""
    name = short_name(call.layer)
    return f"layer_{name}" if name.lower().startswith(("ts_", "at_")) else name


def _scale(tensor: Tensor) -> float:
    return tensor.quantization.scale if tensor.quantization else 0.0


def _work(call: KernelCall) -> str:
    return f", {call.macs:,} MACs" if call.macs else ""


def _comment(text: str) -> str:
    """Text that cannot end a C comment, or start a line splice or another comment in it."""
    return (
        "".join(c if c.isprintable() else "?" for c in text)
        .replace("*/", "* /")
        .replace("/*", "/ *")
        .rstrip("\\")
    )


def _braces(values: object) -> str:
    assert isinstance(values, (list, tuple))
    return "{" + ", ".join(str(value) for value in values) + "}"


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"
