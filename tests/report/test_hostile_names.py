# SPDX-License-Identifier: Apache-2.0
"""Names of a stranger's model in every report: shown, without effect, and never an error."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt

from tests.bench.results import make_result
from tests.support.hostile import names
from tinyserve.bench.judge.compare import compare
from tinyserve.bench.result import BenchReport, BenchResult, FailedCell
from tinyserve.cli.console import stdout
from tinyserve.report import junit, markdown
from tinyserve.report.forms import FORMS, encode
from tinyserve.report.html import bench as html
from tinyserve.report.text import bench as terminal
from tinyserve.report.verdicts import comparison_lines, comparison_table

_FIELDS = {
    "name", "source", "framework", "board", "board_name", "toolchain", "op", "variant", "reason",
    "expected_from", "first_difference", "dataset", "flags", "notes", "model",
}  # fmt: skip


def _renamed(value: Any, name: str) -> Any:
    """A structure with every text that comes from outside replaced."""
    if isinstance(value, dict):
        return {
            key: name if key in _FIELDS and isinstance(inner, str) else _renamed(inner, name)
            for key, inner in value.items()
        }
    return [_renamed(inner, name) for inner in value] if isinstance(value, list) else value


def report_of(name: str) -> BenchReport:
    """Two results, one of them wrong, and a failure."""
    result = make_result()
    assert result.check is not None
    result = msgspec.structs.replace(
        result, notes=[name], check=msgspec.structs.replace(result.check, equal=1, first_difference="x")
    )
    built = _renamed(msgspec.to_builtins(result), name)
    results = [msgspec.convert(built, BenchResult), make_result()]
    return BenchReport(results=results, failures=[FailedCell(name, name, f"{name}\n  try: {name}", 4)])


def _unseen(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"]


@contextmanager
def _printed() -> Iterator[io.StringIO]:
    with redirect_stdout(io.StringIO()) as stream:
        yield stream


@settings(max_examples=15)
@given(names.filter(str.strip))
def test_the_terminal_shows_names_and_obeys_none(name: str) -> None:
    report = report_of(name)
    with _printed() as stream:
        terminal.show(report, stdout())
        terminal.show(BenchReport(results=report.results[:1]), stdout())
        found = compare(BenchReport(results=[make_result()]), report, {})
        stdout().print(comparison_table(found))
        for line in comparison_lines(found):
            stdout().print(line)
    assert not _unseen(stream.getvalue())


def test_square_brackets_are_no_markup_and_colons_no_pictures() -> None:
    with _printed() as stream:
        terminal.show(report_of("[/red] :smile: [b]x[/b]"), stdout())
    assert "[/red] :smile: [b]x[/b] on [/red] :smile: [b]x[/b] failed:" in stream.getvalue()


# JSON is for programs, which get every name as it is.
@pytest.mark.parametrize("form", [form for form in FORMS if form != "json"])
@settings(max_examples=15)
@given(name=names.filter(str.strip))
def test_every_form_is_text_without_control_characters(form: str, name: str) -> None:
    text = encode(form, report_of(name), [], None).decode("utf-8")
    assert not [c for c in text if unicodedata.category(c) == "Cc" and c not in "\n\t"]


@settings(max_examples=15)
@given(names.filter(str.strip))
def test_junit_is_well_formed(name: str) -> None:
    report = report_of(name)
    root = ElementTree.fromstring(junit.encode(report, [], []))
    plain = ElementTree.fromstring(junit.encode(report_of("plain"), [], []))
    assert [element.tag for element in root.iter()] == [element.tag for element in plain.iter()]


@settings(max_examples=15)
@given(names.filter(str.strip))
def test_markdown_keeps_its_table_and_has_no_markup_of_others(name: str) -> None:
    text = markdown.encode(report_of(name), [], None)
    assert not _unseen(text)
    blocks, inline = _kinds(text)
    plain_blocks, plain_inline = _kinds(markdown.encode(report_of("plain"), [], None))
    assert blocks == plain_blocks
    assert inline <= plain_inline


def _kinds(text: str) -> tuple[list[str], set[str]]:
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    inline = {child.type for token in tokens for child in token.children or []} - {"text_special"}
    return [token.type for token in tokens], inline


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))


@settings(max_examples=15)
@given(names.filter(str.strip))
def test_html_has_the_elements_that_it_has_with_any_name(name: str) -> None:
    page = html.encode(report_of(name), [], None)
    assert not _unseen(page)
    assert _tags(page) == _tags(html.encode(report_of("plain"), [], None))


def _tags(page: str) -> list[tuple[str, list[str]]]:
    parser = _Tags()
    parser.feed(
        re.sub(r"(?s)<text.*?</text>", "", page)
    )  # labels in pictures are left out where they don't fit
    parser.close()
    return parser.found
