# SPDX-License-Identifier: Apache-2.0
"""Text has an encoding and line ends of ours, not the system's (cp1252 and CRLF on Windows), and programs may
print anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import tinyserve

ROOT = Path(tinyserve.__file__).parent
_TEXT_METHODS = {"read_text": 0, "write_text": 1}  # the place of the encoding among the arguments


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield name, node


def constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def faults(path: Path) -> Iterator[str]:
    for name, call in calls(path):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        where = f"{path.name}:{call.lineno}"
        if constant(keywords.get("text")) is True and not {"errors", "encoding"} & set(keywords):
            yield f"{where}: text of a program without errors="
        if name == "write_text" and "newline" not in keywords:
            yield f"{where}: write_text ends lines as the system does: write bytes"
        elif name in _TEXT_METHODS and "encoding" not in keywords and len(call.args) <= _TEXT_METHODS[name]:
            yield f"{where}: {name} without encoding="
        if (
            name == "open"
            and "encoding" not in keywords
            and not ast.unparse(call.func).endswith("device.open")
        ):
            place = 0 if isinstance(call.func, ast.Attribute) else 1
            mode = keywords.get("mode") or (call.args[place] if len(call.args) > place else None)
            if constant(mode) in ("r", "w", "a", "x", "w+", "r+") or (mode is None and not call.args):
                yield f"{where}: open for text without encoding="


def test_text_is_ours() -> None:
    assert [fault for path in ROOT.rglob("*.py") for fault in faults(path)] == []


def test_the_check_finds_each_kind(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "p.read_text()\np.write_text(x)\np.open('w')\nopen(p, 'r')\nsubprocess.run(c, text=True)\n"
        "p.read_text('utf-8')\np.open('wb')\nsubprocess.run(c, text=True, errors='replace')\n",
        encoding="utf-8",
    )
    assert [fault.split(":")[1] for fault in faults(bad)] == ["1", "2", "3", "4", "5"]
