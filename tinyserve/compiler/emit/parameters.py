# SPDX-License-Identifier: Apache-2.0
"""The fields of the kernels' parameter structs, read from the C headers: a parameter that a lowering forgets
would be a zero in the generated code.

What a header may contain is what the kernels use: structs of declarations, macros that stand for fields or
make structs of several types.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from tinyserve.compiler.program import Buffer, Constant, ParamValue

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(\(([^)]*)\))?[ \t]*(.*)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_STRUCT = re.compile(r"typedef\s+struct\s*(?:__attribute__\s*\(\(\w+\)\)\s*)?\{([^{}]*)\}\s*(\w+)\s*;")
_FUNCTION_POINTER = re.compile(r"\(\s*\*\s*(?:const\s+)?(\w+)\s*\)\s*\([^()]*\)")
_DECLARATOR = re.compile(r"^[\s*]*(?:const\s+)?(\w+)\s*(?:\[[^\]]*\])?$")
_MOST_EXPANSIONS = 200
_FLOAT_MAX = (2 - 2**-23) * 2.0**127
_RANGES: dict[str, tuple[float, float]] = {
    **{f"int{bits}_t": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}_t": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}


@lru_cache(maxsize=128)
def structs(texts: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Of each struct in these headers the fields and their types, in order: ``int32_t``, ``int32_t[]`` for an
    array, ``const int8_t*`` for a pointer, ``function`` for one to a function."""
    text = "\n".join(_COMMENT.sub(" ", one).replace("\\\n", " ") for one in texts)
    macros = {
        m[1]: ([p.strip() for p in m[3].split(",")] if m[2] else None, m[4]) for m in _MACRO.finditer(text)
    }
    plain = _expanded(_DIRECTIVE.sub("", text), macros)
    return {match[2]: dict(_fields(match[1])) for match in _STRUCT.finditer(plain)}


def missing(fields: Mapping[str, Mapping[str, str]], params_type: str, given: Iterable[str]) -> list[str]:
    """The fields of a struct for which there is no initialiser; of structs within, ``inner.field``."""
    names = {re.sub(r"\[\d+\]", "", name) for name in given}
    return [name for name in leaves(fields, params_type) if name not in names]


def unknown(fields: Mapping[str, Mapping[str, str]], params_type: str, given: Iterable[str]) -> list[str]:
    """The initialisers for which there is no field."""
    known = set(leaves(fields, params_type))
    return [name for name in given if re.sub(r"\[\d+\]", "", name) not in known]


def misfit(fields: Mapping[str, Mapping[str, str]], params_type: str, name: str, value: ParamValue) -> str:
    """Why a field cannot hold a value; empty where it can. C would cut a number that is too large."""
    kind = _kind(fields, params_type, re.sub(r"\[\d+\]", "", name))
    if isinstance(value, str) or kind is None:
        return ""  # a C expression, which the compiler checks
    if kind.endswith("*") or kind == "function":
        return _pointer_misfit(kind, value)
    if value is None or isinstance(value, Constant | Buffer):
        return f"is a pointer, the field {kind}"
    if isinstance(value, tuple) != kind.endswith("[]"):
        return f"is {value}, the field {kind}"
    items = value if isinstance(value, tuple) else (value,)
    return next(filter(None, (_number_misfit(kind.removesuffix("[]"), item) for item in items)), "")


def _kind(fields: Mapping[str, Mapping[str, str]], params_type: str, name: str) -> str | None:
    first, _, rest = name.partition(".")
    kind = fields[params_type].get(first)
    return _kind(fields, kind.removesuffix("[]"), rest) if rest and kind is not None else kind


def _pointer_misfit(kind: str, value: ParamValue) -> str:
    if value is None or isinstance(value, Buffer):
        return ""
    if not isinstance(value, Constant):
        return f"is {value}, the field a pointer"
    pointee = kind.removesuffix("*").removeprefix("const ").strip()
    if pointee in _RANGES and value.c_type != pointee:
        return f"points at {value.c_type}, the field at {pointee}"
    return ""


def _number_misfit(kind: str, value: float) -> str:
    if kind in _RANGES and isinstance(value, float):
        return f"is {value}, the field {kind}"
    low, high = _RANGES.get(kind, (-math.inf, math.inf))
    if not low <= value <= high:
        return f"is {value}, beyond {kind}"
    beyond = kind == "float" and math.isfinite(value) and abs(value) > _FLOAT_MAX
    return f"is {value}, beyond float" if beyond else ""


def leaves(fields: Mapping[str, Mapping[str, str]], kind: str) -> list[str]:
    """The fields of a struct; of structs within, ``inner.field``."""
    found: list[str] = []
    for name, inner in fields[kind].items():
        struct = inner.removesuffix("[]")
        found += [f"{name}.{one}" for one in leaves(fields, struct)] if struct in fields else [name]
    return found


def _fields(body: str) -> Iterable[tuple[str, str]]:
    for declaration in body.split(";"):
        pointers = _FUNCTION_POINTER.findall(declaration)
        if pointers:
            yield from ((name, "function") for name in pointers)
            continue
        first, *rest = (part.strip() for part in declaration.split(","))
        named = re.match(r"(.*?)([\s*]+)(\w+)\s*(\[[^\]]*\])?$", first, re.DOTALL)
        if named is None:
            continue
        kind = named[1].strip()
        yield named[3], kind + _form(named[2] + (named[4] or ""))
        for one in rest:
            match = _DECLARATOR.match(one)
            if match is not None:
                yield match[1], kind + _form(one)


def _form(declarator: str) -> str:
    return "*" if "*" in declarator else "[]" if "[" in declarator else ""


def _expanded(text: str, macros: Mapping[str, tuple[list[str] | None, str]]) -> str:
    """The text with the macros that contain structs or fields in their place."""
    useful = {name: m for name, m in macros.items() if "typedef struct" in m[1] or _is_fields(m)}
    for _ in range(_MOST_EXPANSIONS):
        changed = text
        for name, (parameters, body) in useful.items():
            pattern = rf"\b{name}\b" if parameters is None else rf"\b{name}\(([^()]*)\)"
            changed = re.sub(pattern, lambda m, p=parameters, b=body: _body(p, b, m), changed)  # type: ignore[misc]
        if changed == text:
            break
        text = changed
    return text


def _is_fields(macro: tuple[list[str] | None, str]) -> bool:
    return ";" in macro[1] and not set("{=") & set(macro[1])


def _body(parameters: list[str] | None, body: str, match: re.Match[str]) -> str:
    for name, value in zip(parameters or [], match[1].split(",") if parameters else [], strict=False):
        body = re.sub(rf"(\s*##\s*)?\b{re.escape(name)}\b(\s*##\s*)?", lambda _, v=value: v.strip(), body)  # type: ignore[misc]
    return body.replace("##", "")
