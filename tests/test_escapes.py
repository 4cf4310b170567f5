# SPDX-License-Identifier: Apache-2.0
"""Whatever a name holds, in each language it is read back as itself, or seen as a name and nothing else."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from tests.support.hostile import EXAMPLES, names
from tinyserve import escapes

LINES = [
    escapes.visible, escapes.c_string, escapes.c_comment, escapes.line_comment, escapes.cmake_string,
    escapes.quoted, escapes.shell, escapes.markdown,
]  # fmt: skip
MANY_LINES = [escapes.terminal, escapes.html, escapes.xml_text, escapes.markdown_code]


@pytest.mark.parametrize("escape", [*LINES, *MANY_LINES], ids=lambda escape: escape.__name__)
def test_nothing_moves_the_cursor_or_turns_the_text(escape: Callable[[str], str]) -> None:
    @given(names)
    def check(text: str) -> None:
        allowed = "\n\t" if escape in MANY_LINES else ""
        made = escape(text)
        assert not [
            c for c in made if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in allowed
        ]
        made.encode()

    check()


@given(names)
def test_a_picture_of_a_character_takes_its_place_so_that_lengths_stay(text: str) -> None:
    assert len(escapes.visible(text)) == len(text)
    assert escapes.visible(escapes.visible(text)) == escapes.visible(text)


def test_what_is_harmless_stays_as_it_is() -> None:
    for text in ("model/conv2d_1/BiasAdd;x", "Größe 2", "kws (small)"):
        assert escapes.visible(text) == escapes.terminal(text) == escapes.c_comment(text) == text
    assert escapes.c_string("kws (small)") == "kws (small)"
    assert escapes.ini_value("https://x.example/p.zip#v1.2") == "https://x.example/p.zip#v1.2"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_a_c_compiler_reads_the_bytes_of_the_name(tmp_path: Path) -> None:
    sizes = ", ".join(str(len(text.encode())) for text in EXAMPLES if _is_text(text))
    rows = "".join(
        f'    "{escapes.c_string(text)}", /* {escapes.c_comment(text)} */ // {escapes.c_comment(text)}\n'
        for text in EXAMPLES
        if _is_text(text)
    )
    (tmp_path / "names.c").write_text(
        f"#include <stdio.h>\nstatic const char *const names[] = {{\n{rows}}};\n"
        f"static const int sizes[] = {{{sizes}}};\n"
        "int main(void) { for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)"
        " fwrite(names[i], 1, (size_t)sizes[i], stdout); }\n"
    )
    command = ["gcc", "-std=c11", "-trigraphs", "-Wall", "-Wno-comment", "-Werror", "names.c", "-o", "names"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    printed = subprocess.run([tmp_path / "names"], capture_output=True, check=True, timeout=60).stdout
    assert printed == b"".join(text.encode() for text in EXAMPLES if _is_text(text))


def _is_text(text: str) -> bool:
    return not re.search("[\ud800-\udfff]", text)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake")
def test_cmake_reads_the_visible_name(tmp_path: Path) -> None:
    lines = [
        f'# {escapes.line_comment(text)}\nfile(APPEND "${{OUT}}" "{escapes.cmake_string(text)}" "\\n")\n'
        for text in EXAMPLES
    ]
    (tmp_path / "names.cmake").write_text("cmake_minimum_required(VERSION 3.16)\n" + "".join(lines))
    out = tmp_path / "out.txt"
    subprocess.run(["cmake", f"-DOUT={out}", "-P", "names.cmake"], cwd=tmp_path, check=True, timeout=60)
    # A semicolon between arguments is CMake's list: in one quoted argument it is text, with its backslash.
    assert out.read_text().replace("\\;", ";") == "".join(f"{escapes.visible(text)}\n" for text in EXAMPLES)


@given(names)
def test_markdown_shows_the_name_and_no_markup(text: str) -> None:
    for line in (f"x {escapes.markdown(text)} x", f"| x {escapes.markdown(text)} | x |\n| --- | --- |"):
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(line)
        kinds = {child.type for token in tokens for child in token.children or []}
        assert kinds <= {"text", "text_special", "softbreak"}, kinds
        assert not [token for token in tokens if token.type in ("html_block", "fence", "heading_open", "hr")]
        assert len([token for token in tokens if token.type == "th_open"]) in (0, 2)


@given(names)
def test_a_code_block_of_markdown_holds_the_whole_name(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"```\n{escapes.markdown_code(text)}\n```\n\nafter\n")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.texts += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(names)
def test_html_shows_the_name_in_elements_and_attributes(text: str) -> None:
    parser = _Texts()
    parser.feed(f'<p title="{escapes.html(text)}">{escapes.html(text)}</p>')
    parser.close()
    assert parser.tags == ["p"]
    assert parser.texts[0] == escapes.terminal(text)
    assert "".join(parser.texts[1:]) == escapes.terminal(text)


@given(names)
def test_xml_is_well_formed_and_has_the_name(text: str) -> None:
    element = ElementTree.Element("a", name=escapes.xml_text(text))
    element.text = escapes.xml_text(text)
    read = ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))
    assert read.get("name") == element.text
    assert (read.text or "") == element.text


@given(names)
def test_a_shell_word_is_one_word(text: str) -> None:
    assert shlex.split(escapes.shell(text)) == [escapes.visible(text)]


@given(names)
def test_words_and_ini_values_are_as_they_are_or_refused(text: str) -> None:
    for escape in (escapes.word, escapes.ini_value):
        try:
            assert escape(text) == text
        except ValueError as error:
            assert escapes.visible(str(error)) == str(error)


@pytest.mark.parametrize(
    "text", ["a\nb", "${sysenv.HOME}", "!touch x", "a ; b", "a #b", "\x1b", " a", "`id`"]
)
def test_ini_values_that_would_be_more_than_a_value_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="platformio"):
        escapes.ini_value(text)
