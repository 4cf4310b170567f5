# SPDX-License-Identifier: Apache-2.0
"""An Arduino library (format 1.5: sources below src) with an example that reads a sensor."""

from __future__ import annotations

from tinyserve.errors import UsageError
from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import AUTHOR, Library, model_files, render, sentence


def files(library: Library) -> dict[str, bytes]:
    """The library's files. Raises UsageError for a name that Arduino keeps for its own libraries."""
    if library.name.startswith("arduino"):
        raise UsageError(f"--name {library.name}: Arduino's own libraries begin so", "choose another --name")
    compiled = library.compiled
    made = render(
        "arduino-library", library, compiled,
        author=AUTHOR, sentence=sentence(library), architectures="*",
        alone=False,
    )  # fmt: skip
    return made | model_files(compiled, "src")


KIND = Kind("arduino-library", "an Arduino library with an example sketch", files)
