# SPDX-License-Identifier: Apache-2.0
"""An Arduino sketch that reads a sensor and prints what the model says; the model below ``src``."""

from __future__ import annotations

import re

from tinyserve.errors import UsageError
from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import Library, facts, model_files, render
from tinyserve.templates import render_template

SKETCH = "library/arduino-library/examples/classify/classify.ino"
_SKETCH_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")


def files(library: Library) -> dict[str, bytes]:
    """The sketch's files; its name is that of the directory, as the IDE wants it. Raises UsageError."""
    sketch = library.directory or library.name
    check_sketch_name(sketch)
    compiled = library.compiled
    fqbn = (library.board.arduino if library.board else "") or "VENDOR:ARCHITECTURE:BOARD"
    made = render("arduino", library, compiled, sketch=sketch, fqbn=fqbn)
    context = facts(library, compiled) | {"alone": True}
    made[f"{sketch}.ino"] = render_template(SKETCH, context).encode()
    return made | model_files(compiled, "src")


def check_sketch_name(name: str) -> None:
    """Raises UsageError for what the Arduino IDE does not take for a sketch and its directory."""
    if not _SKETCH_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a sketch: letters, digits, '_', '-' and '.' are",
            "choose another output directory with -o",
        )


KIND = Kind("arduino", "an Arduino sketch that reads a sensor", files)
