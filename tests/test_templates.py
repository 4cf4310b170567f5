# SPDX-License-Identifier: Apache-2.0
"""No template can forget to escape: the language's escape is part of how templates are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from tests.support.hostile import names
from tinyserve import escapes, templates
from tinyserve.errors import UsageError
from tinyserve.resources import data_directory

ROOT = data_directory("firmware_templates")
NAMES = [path.relative_to(ROOT).as_posix().removesuffix(".j2") for path in sorted(ROOT.rglob("*.j2"))]


def _render(tmp_path: Path, name: str, text: str, **context: object) -> str:
    (tmp_path / f"{name}.j2").write_text(text)
    return (
        templates.environment_for(tmp_path, templates.language_of(name))
        .get_template(f"{name}.j2")
        .render(context)
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_template_has_a_language_and_is_read_in_it(name: str) -> None:
    templates.environment_for(ROOT, templates.language_of(name)).get_template(f"{name}.j2")


@given(names)
def test_in_c_a_value_is_escaped_for_the_place_where_it_stands(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    made = _render(
        tmp_path_factory.mktemp("t"),
        "x.c",
        '/* "{{ x }}" */ // {{ x }}\n'
        'const char *a = "\\"/* {{ x }}" "{% if 1 %}{{ x }}{% endif %}"; /* {{ x }} */',
        x=text,
    )
    comment, string = escapes.c_comment(text), escapes.c_string(text)
    assert made == (
        f'/* "{comment}" */ // {comment}\nconst char *a = "\\"/* {string}" "{string}"; /* {comment} */'
    )


def test_where_a_language_has_no_quotes_only_words_pass(tmp_path: Path) -> None:
    code = "int {{ x }} = {{ y }}; {{ 'a' if y else 'b' }}"
    assert _render(tmp_path, "x.c", code, x="a_1", y=-2.5e-7) == "int a_1 = -2.5e-07; a"
    with pytest.raises(ValueError, match="can't stand here"):
        _render(tmp_path, "x.c", code, x="a; int b", y=1)
    with pytest.raises(ValueError, match="can't stand here"):
        _render(tmp_path, "CMakeLists.txt", "add_library({{ x }})", x="a)\nexecute_process(COMMAND id")


def test_macros_are_written_once_and_their_values_escaped_once(tmp_path: Path) -> None:
    text = '{% macro row(x) %}"{{ x }}"{% endmacro %}{{ row(x) }};'
    assert _render(tmp_path, "x.c", text, x='"') == '"\\042";'


def test_a_value_that_an_ini_file_has_no_way_to_write_is_an_error_that_names_the_file() -> None:
    context = {"board": {"name": "b", "id": "b\nextra_scripts=pre:x.py"}, "platform": "p", "defines": {}}
    with pytest.raises(UsageError, match=r"platformio/platformio\.ini"):
        templates.render_template("platformio/platformio.ini", context)
