# SPDX-License-Identifier: Apache-2.0
"""Text from outside (names in models, bundles, board files, what devices say) as text of a language.

One function per language and place. Each takes any string, returns one line, and keeps what is harmless
as it is; where a language has no way to write something (a newline in an ini file), it raises ValueError, so
that nothing is written rather than something else.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from html import escape as _html

_WORD = re.compile(r"[A-Za-z0-9_.,:/=@%+-]*")
_CONTROL_PICTURES = 0x2400
_DELETE, _DELETE_PICTURE = 0x7F, "\u2421"
_UNSEEN = "\ufffd"
# Categories whose characters move the cursor, turn the direction of text, or are no characters at all.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def visible(text: str) -> str:
    """Each character that would not show (controls, direction marks, lone surrogates) as a picture of it:
    ESC is
    ``␛``. The length stays: what points into the text points to the same place."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_picture, text))


def _picture(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return _DELETE_PICTURE if code == _DELETE else _UNSEEN


def clipped(text: str, most: int) -> str:
    """Lines of more than ``most`` characters without their middle, which says how much it was: what names a
    place stands at a line's beginning, and what is wrong with it at its end."""
    return "\n".join(_clipped_line(line, most) for line in text.split("\n"))


def _clipped_line(line: str, most: int) -> str:
    if len(line) <= most:
        return line
    tail = most // 4
    head = most - tail
    return f"{line[:head]} … ({len(line) - most:,} characters) … {line[-tail:]}"


def terminal(text: str) -> str:
    """For a terminal or a log: lines stay lines and tabs tabs, everything else is seen and does nothing."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))


def word(text: str) -> str:
    """For places where the languages have no quotes: identifiers, numbers, paths. Raises ValueError for
    anything
    that could end such a word."""
    if not _WORD.fullmatch(text):
        raise ValueError(f"{text!r} can't stand here: letters, digits and _.,:/=@%+- can")
    return text


def c_string(text: str) -> str:
    """Between the quotes of a C string: the compiler makes the UTF-8 bytes of ``text`` of it, nothing
    else."""
    return "".join(map(_c_character, text.encode(errors="replace")))


def rust_string(text: str) -> str:
    """Between the quotes of a Rust string."""
    return "".join(
        one if " " <= one <= "~" and one not in '\\"{}' else f"\\u{{{ord(one):x}}}"
        for one in text.encode(errors="replace").decode()
    )


def _c_character(byte: int) -> str:
    # Three octal digits end by themselves; ? could begin a trigraph, % a format.
    harmless = 0x20 <= byte < _DELETE and chr(byte) not in '\\"?%'
    return chr(byte) if harmless else f"\\{byte:03o}"


def c_comment(text: str) -> str:
    """In a C comment of either kind: it can't end it, begin one, or go on to the next line."""
    return visible(text).replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??/", "?? /")


def line_comment(text: str) -> str:
    """In a comment that ends with its line (CMake, ini, Python, Renode, Robot Framework)."""
    return visible(text).replace("\\", "/")


def cmake_string(text: str) -> str:
    """Between the quotes of a CMake argument: no variable, no list, no end."""
    return re.sub(r'([\\"$;@])', r"\\\1", visible(text))


def ini_value(text: str) -> str:
    """A value in platformio.ini. Raises ValueError for what would be another line, a comment, an
    interpolation or
    a command: the format has no way to quote them."""
    if visible(text) != text or re.search(r"[$`!\\]|(^|\s)[;#]|^\s|\s$", text):
        raise ValueError(f"{text!r} can't stand in platformio.ini: no $, `, !, \\, comment or line break can")
    return text


def quoted(text: str) -> str:
    """Between the quotes of a string in Renode's files."""
    return visible(text).replace("\\", "/").replace('"', "'").replace("$", "_")


def one_line(text: str) -> str:
    """A value that ends with its line and has no other syntax (library.properties)."""
    return visible(text).strip()


def json_string(text: str) -> str:
    """Between the double quotes of JSON, YAML or TOML, which have these escapes in common."""
    return json.dumps(visible(text), ensure_ascii=False)[1:-1]


def kconfig_string(text: str) -> str:
    """Between the double quotes of Kconfig, where a dollar sign begins a macro: ``$(shell,...)`` is one."""
    return re.sub(r'([\\"$])', r"\\\1", visible(text))


def shell(text: str) -> str:
    """A word of a command line, for a reader to copy."""
    return shlex.quote(visible(text))


def markdown(text: str) -> str:
    """In a sentence or a table cell: no markup, no HTML, no new line, no end of a cell."""
    escaped = re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", visible(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")


def markdown_code(text: str) -> str:
    """In a code span or a fenced block, which know no escapes. Lines stay lines."""
    return terminal(text).replace("`", "'").replace("~~~", "'''")


def html(text: str) -> str:
    """In an element or a quoted attribute of HTML or SVG. Lines stay lines."""
    return _html(terminal(text), quote=True)


def xml_text(text: str) -> str:
    """For a library that writes XML: it escapes markup, but not what no XML may contain. Lines stay lines."""
    return terminal(text)
