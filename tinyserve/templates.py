# SPDX-License-Identifier: Apache-2.0
"""Renders the Jinja templates of firmware projects.

A template can't forget to escape: as it is read, every ``{{ ... }}`` is given the escape of its language
at its place. In C that is one in a string, another in a comment, and elsewhere only words pass: what is put
there can't be anything but an identifier, a number or a path. A value that does not fit its place is a
UsageError, and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import jinja2
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup

from tinyserve import escapes
from tinyserve.errors import UsageError
from tinyserve.resources import data_directory

Escape = Callable[[str], str]


@dataclass(frozen=True)
class Region:
    """A part of a file that is neither code nor text by itself: a string, a comment. ``opens`` and
    ``closes`` are
    regular expressions."""

    opens: str
    closes: str
    escape: Escape


@dataclass(frozen=True)
class Language:
    """How values are written in a language: in its regions, and outside of all of them."""

    outside: Escape
    regions: tuple[Region, ...] = ()


_STRING = r'(?<!\\)"'
_C = Language(
    escapes.word,
    (
        Region(r"/\*", r"\*/", escapes.c_comment),
        Region("//", "\n", escapes.c_comment),
        Region('"', _STRING, escapes.c_string),
    ),
)
_RUST = Language(escapes.word, (*_C.regions[:2], Region('"', _STRING, escapes.rust_string)))
_CMAKE = Language(
    escapes.word, (Region("#", "\n", escapes.line_comment), Region('"', _STRING, escapes.cmake_string))
)
_INI = Language(escapes.ini_value, (Region("(?m)^;", "\n", escapes.line_comment),))
_KCONFIG = Language(escapes.word, (Region("(?m)^#", "\n", escapes.line_comment),))
_RENODE = Language(
    escapes.word,
    (
        Region("(?m)^//", "\n", escapes.line_comment),
        Region("(?m)^:(name|description):", "\n", escapes.line_comment),
        Region('"', '"', escapes.quoted),
    ),
)
_ROBOT = Language(escapes.word, (Region('"', '"', escapes.quoted),))
_QUOTED = Language(
    escapes.word, (Region("#", "\n", escapes.line_comment), Region('"', _STRING, escapes.json_string))
)
_PROPERTIES = Language(escapes.one_line)
_MARKDOWN = Language(
    escapes.markdown,
    (Region("(?m)^```", "(?m)^```", escapes.shell), Region("`", "`", escapes.markdown_code)),
)
_BY_SUFFIX = {
    ".c": _C, ".h": _C, ".cpp": _C, ".ino": _C, ".ld": _C,
    ".cmake": _CMAKE, ".ini": _INI, ".conf": _KCONFIG, ".md": _MARKDOWN,
    ".json": _QUOTED, ".yml": _QUOTED, ".yaml": _QUOTED, ".toml": _QUOTED, ".rs": _RUST,
    ".properties": _PROPERTIES, ".txt": _PROPERTIES,
    ".repl": _RENODE, ".resc": _RENODE, ".robot": _ROBOT,
}  # fmt: skip

_KCONFIG_FILE = Language(
    escapes.word, (Region("#", "\n", escapes.line_comment), Region('"', _STRING, escapes.kconfig_string))
)
_BY_NAME = {"CMakeLists.txt": _CMAKE, "Kconfig": _KCONFIG_FILE}


def language_of(name: str) -> Language:
    """The language of a template by its name without .j2. Raises KeyError for one that is not known."""
    path = PurePosixPath(name)
    return _BY_NAME.get(path.name) or _BY_SUFFIX[path.suffix]


def render_template(name: str, context: Mapping[str, object]) -> str:
    """A template's text; files without a .j2 are taken as they are.

    Raises UsageError for a value that can't be written in the template's language.
    """
    root = data_directory("firmware_templates")
    plain = root / name
    if plain.is_file():
        return plain.read_text(encoding="utf-8")
    environment = environment_for(root, language_of(name))
    try:
        return environment.get_template(f"{name}.j2").render(context)
    except ValueError as error:
        raise UsageError(f"cannot write {name}: {error}", "choose another name or value") from error


@cache
def environment_for(root: Path, language: Language) -> jinja2.Environment:
    """The environment of the templates of one language below ``root``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Should a value ever come past its filter, it is escaped as HTML rather than not at all.
        autoescape=True,
        extensions=[_escaping(language)],
    )
    return environment


def _escaping(language: Language) -> type[Extension]:
    """The extension that puts the right filter behind every expression."""
    named: dict[str, Escape] = {"in_outside": language.outside}
    named |= {f"in_region_{index}": region.escape for index, region in enumerate(language.regions)}

    class Escaping(Extension):
        def __init__(self, environment: jinja2.Environment) -> None:
            super().__init__(environment)
            environment.filters |= {name: _filter(escape) for name, escape in named.items()}

        def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
            return _with_filters(stream, language)

    return Escaping


def _filter(escape: Escape) -> Callable[[object], Markup]:
    def apply(value: object) -> Markup:
        return value if isinstance(value, Markup) else Markup(escape(str(value)))

    return apply


def _with_filters(stream: TokenStream, language: Language) -> Iterator[Token]:
    """``{{ x }}`` becomes ``{{ (x) | in_... }}``. Where the text stands, is read off the template's own
    text, which
    no value can change."""
    place = -1  # index of the region, or outside
    for token in stream:
        if token.type == "data":
            place = _place_after(token.value, place, language)
        if token.type == "variable_end":
            name = "in_outside" if place < 0 else f"in_region_{place}"
            yield Token(token.lineno, "rparen", ")")
            yield Token(token.lineno, "pipe", "|")
            yield Token(token.lineno, "name", name)
        yield token
        if token.type == "variable_begin":
            yield Token(token.lineno, "lparen", "(")


def _place_after(text: str, place: int, language: Language) -> int:
    """Where the end of a piece of a template's text stands, when its beginning stands at ``place``."""
    at = 0
    while True:
        if place >= 0:
            closed = re.compile(language.regions[place].closes).search(text, at)
            if closed is None:
                return place
            at, place = closed.end(), -1
        found = [
            (opened.start(), index, opened.end())
            for index, region in enumerate(language.regions)
            if (opened := re.compile(region.opens).search(text, at))
        ]
        if not found:
            return -1
        _, place, at = min(found)
