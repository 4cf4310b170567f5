# SPDX-License-Identifier: Apache-2.0
"""A Zephyr module: CMake and Kconfig for applications that list it, and a sample."""

from __future__ import annotations

from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import Library, model_files, render


def files(library: Library) -> dict[str, bytes]:
    """The module's files."""
    compiled = library.compiled
    return render("zephyr-module", library, compiled) | model_files(compiled, "src")


KIND = Kind("zephyr-module", "a Zephyr module with Kconfig and a sample", files)
