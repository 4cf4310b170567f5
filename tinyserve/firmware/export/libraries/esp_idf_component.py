# SPDX-License-Identifier: Apache-2.0
"""An ESP-IDF component: for ``components/`` or the component manager, its arena in PSRAM if so configured."""

from __future__ import annotations

from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import Library, model_files, render, sentence


def files(library: Library) -> dict[str, bytes]:
    """The component's files."""
    compiled = library.compiled
    made = render("esp-idf-component", library, compiled, sentence=sentence(library))
    return made | model_files(compiled, "src")


KIND = Kind("esp-idf-component", "an ESP-IDF component with an example", files)
