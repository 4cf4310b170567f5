# SPDX-License-Identifier: Apache-2.0
"""A CMake package: for ``add_subdirectory`` and ``find_package``, in C or C++, with any toolchain."""

from __future__ import annotations

from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import Library, model_files, render


def files(library: Library) -> dict[str, bytes]:
    """The package's files."""
    compiled = library.compiled
    return render("cmake", library, compiled) | model_files(compiled, "src")


KIND = Kind("cmake", "a CMake package: find_package or add_subdirectory", files)
