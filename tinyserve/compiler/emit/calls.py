# SPDX-License-Identifier: Apache-2.0
"""Kernel calls as C statements, wherever values lie: for the generated C and for the differential tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from tinyserve.compiler.emit.ctext import number
from tinyserve.compiler.emit.explain import meaning
from tinyserve.compiler.program import Buffer, Constant, ControlCall, KernelCall, Operand, ParamValue


class Places(Protocol):
    """Where values lie, as C expressions."""

    def buffer(self, buffer: Buffer) -> str:
        """A pointer to a buffer, of any type that converts to the kernel's."""

    def constant(self, constant: Constant) -> str:
        """A pointer to a constant, of its type."""


def place(operand: Operand | None, places: Places) -> str:
    """An operand as an argument."""
    if operand is None:
        return "NULL"
    return places.constant(operand) if isinstance(operand, Constant) else places.buffer(operand)


def kernel_call(call: KernelCall, places: Places) -> Iterator[str]:
    """The parameters and the call."""
    yield from _statements(call, [place(arg, places) for arg in call.args], places)


def _statements(call: KernelCall, arguments: list[str], places: Places) -> Iterator[str]:
    if call.params is not None:
        storage = "" if any(isinstance(value, Buffer) for value in call.fields.values()) else "static "
        yield f"  {storage}const {call.params.c_type} params = {{"
        yield from initialisers(call, places, "      ")
        yield "  };"
        arguments = ["&params", *arguments]
    for one in call.args:
        if isinstance(one, Buffer) and one.size:
            yield f'  _Static_assert({one.size} == {one.nbytes}, "{one.kind} of {call.function}");'
    yield f"  {call.function}({', '.join(arguments)});"


def _buffers(call: KernelCall) -> list[Buffer]:
    return [arg for arg in call.args if isinstance(arg, Buffer)]


def shared_kernel(call: KernelCall, name: str, places: Places) -> Iterator[str]:
    """A function that calls the kernel with a layer's parameters, for buffers that are given in the order of
    the call's arguments."""
    given = [f"at_{number}" for number, _ in enumerate(_buffers(call))]
    following = iter(given)
    arguments = [next(following) if isinstance(arg, Buffer) else place(arg, places) for arg in call.args]
    yield f"TS_LAYER {name}({', '.join(f'void *{one}' for one in given)}) {{"
    yield from (*_statements(call, arguments, places), "}")


def shared_call(call: KernelCall, name: str, places: Places) -> str:
    """The statement that calls such a function."""
    return f"  {name}({', '.join(places.buffer(buffer) for buffer in _buffers(call))});"


def initialisers(call: KernelCall, places: Places, indent: str) -> Iterator[str]:
    """The fields of a call's parameters."""
    for field, value in call.fields.items():
        about = meaning(call, field)
        yield f"{indent}.{field} = {_value(value, places)},{f' /* {about} */' if about else ''}"


def control_call(call: ControlCall, blocks: Sequence[Iterable[str]], places: Places) -> Iterator[str]:
    """Runs subgraphs; ``blocks`` are the statements that run each."""
    place_of_test = place(call.test, places)
    test = f"*(const uint8_t *){place_of_test}"
    runs = [[f"    {line}" for line in block] for block in blocks]
    if call.control == "if":
        yield from (f"  if ({test}) {{", *runs[0], "  } else {", *runs[1], "  }")
    elif call.control == "while":
        yield from (*(line[2:] for line in runs[0]), f"  while ({test}) {{", *runs[1], *runs[0], "  }")
    else:
        yield from (f"  if (!{test}) {{", f"    *(uint8_t *){place_of_test} = 1;", *runs[0], "  }")


def _value(value: ParamValue, places: Places) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return value
    if isinstance(value, Constant | Buffer):
        return place(value, places)
    if isinstance(value, tuple):
        return "{" + ", ".join(number(item) for item in value) + "}"
    return number(value)
