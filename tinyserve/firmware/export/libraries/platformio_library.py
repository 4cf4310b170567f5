# SPDX-License-Identifier: Apache-2.0
"""A PlatformIO library: library.json, usable through lib_deps."""

from __future__ import annotations

import json

from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import AUTHOR, DOCUMENTATION, Library, model_files, render, sentence


def files(library: Library) -> dict[str, bytes]:
    """The library's files."""
    compiled = library.compiled
    made = render("platformio-library", library, compiled) | model_files(compiled, "src")
    manifest = {
        "name": library.name,
        "version": library.version,
        "description": sentence(library)[:999],
        "keywords": ["machine learning", "tinyml", "inference"],
        "homepage": DOCUMENTATION,
        "license": "Apache-2.0",
        "authors": [{"name": AUTHOR, "url": DOCUMENTATION}],
        "frameworks": "*",
        "platforms": "*",
        "headers": f"{library.name}.h",
        "build": {"srcDir": "src", "includeDir": "src"},
        "examples": [{"name": "classify", "base": "examples/classify/src", "files": ["main.c"]}],
    }
    made["library.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    return made


KIND = Kind("platformio-library", "a PlatformIO library for lib_deps", files)
