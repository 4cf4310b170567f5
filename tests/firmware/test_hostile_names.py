# SPDX-License-Identifier: Apache-2.0
"""Names of a stranger's model or board change no generated file but in the text that shows them."""

from __future__ import annotations

import configparser
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.firmware.tiny_model import tiny_model
from tests.support.hostile import names
from tinyserve import boards
from tinyserve.compiler.compile import Compiled
from tinyserve.errors import UsageError
from tinyserve.firmware.export import KINDS, export
from tinyserve.firmware.platformio.project import render_project
from tinyserve.firmware.render import render

_C = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_CMAKE = re.compile(r'#[^\n]*|"(?:\\.|[^"\\])*"', re.DOTALL)
_RENODE = re.compile(r'^(//|:name:|:description:)[^\n]*|"[^"\n]*"', re.MULTILINE)
_INI = re.compile(r"^;[^\n]*", re.MULTILINE)
_ROBOT = re.compile(r'"[^"\n]*"')
_BY_SUFFIX = {
    ".c": _C, ".h": _C, ".cpp": _C, ".ino": _C, ".ld": _C, ".cmake": _CMAKE, ".txt": _CMAKE,
    ".repl": _RENODE, ".resc": _RENODE, ".ini": _INI, ".robot": _ROBOT,
}  # fmt: skip


def _skeleton(directory: Path) -> dict[str, object]:
    """What a compiler or build tool would act on: the files without comments and the contents of strings."""
    found: dict[str, object] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            text = path.read_text(encoding="utf-8")
            pattern = _BY_SUFFIX.get(path.suffix)
            name = path.relative_to(directory).as_posix()
            found[name] = pattern.sub("", text) if pattern else text.count("\n")
            if path.suffix == ".ini":
                ini = configparser.ConfigParser(interpolation=None)
                ini.read_string(text)
                assert all(len(ini[section]) < 20 for section in ini)
    return found


def _named(name: str) -> Compiled:
    """The tiny model with that name for each of its tensors."""
    made = tiny_model()
    program = made.program
    tensors = [replace(tensor, name=name) for tensor in program.input_tensors]
    return replace(made, program=replace(program, input_tensors=tensors))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=names, tensor=names, board_name=names, kind=st.sampled_from(["twin", "board", "pio", *KINDS]))
def test_hostile_names_change_nothing_that_is_acted_on(
    tmp_path_factory: pytest.TempPathFactory, name: str, tensor: str, board_name: str, kind: str
) -> None:
    def made(name: str, tensor: str, board_name: str) -> dict[str, object]:
        board = boards.load("nano33" if kind in ("board", "arduino") else "cortex-m4")
        board = msgspec.structs.replace(board, name=board_name)
        directory = tmp_path_factory.mktemp("p") / "sketch"
        if kind in KINDS:
            export(kind, _named(tensor), board, directory, name)
        elif kind == "pio":
            render_project(_named(tensor), board, directory, emulate=True, model_id=name)
        else:
            render(_named(tensor), board, directory, emulate=kind == "twin", model_id=name)
        return _skeleton(directory)

    assert made(name, tensor, board_name) == made("plain", "plain", "plain")


@pytest.mark.parametrize(
    "field",
    [
        {"platformio": ("upload_protocol", "x\nextra_scripts = pre:evil.py")},
        {"platformio": ("build_flags", ["!evil"])},
        {"platformio": ("platform", "${sysenv.HOME}")},
    ],
)
def test_board_fields_that_would_be_more_than_a_value_are_refused(
    field: dict[str, object], tmp_path: Path
) -> None:
    ((key, value),) = field.items()
    board = boards.load("nano33")
    if isinstance(value, tuple):
        value = msgspec.structs.replace(board.platformio, **{value[0]: value[1]})  # type: ignore[type-var]
    board = msgspec.structs.replace(board, **{key: value})
    with pytest.raises(UsageError, match="cannot write"):
        export("platformio", tiny_model(), board, tmp_path / "x")
