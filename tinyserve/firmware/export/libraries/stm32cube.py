# SPDX-License-Identifier: Apache-2.0
"""Folders to drop into an STM32CubeIDE project, and the steps."""

from __future__ import annotations

from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import Library, model_files, render


def files(library: Library) -> dict[str, bytes]:
    """The folders' files."""
    compiled = library.compiled
    return render("stm32cube", library, compiled) | model_files(compiled, f"Middlewares/{library.name}")


KIND = Kind("stm32cube", "folders for an STM32CubeIDE project", files)
