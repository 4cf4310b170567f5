# SPDX-License-Identifier: Apache-2.0
"""Where the package's data files are: in the checkout during development, in the wheel once installed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

LICENCE_TAG = "SPDX-License-Identifier: Apache-2.0"


def package_directory() -> Path:
    """The directory of the package itself: its kernels and templates are plain files."""
    return Path(str(files("tinyserve")))


def data_directory(name: str) -> Path:
    """The directory of the data set ``name`` ("boards", "firmware_templates")."""
    package = package_directory()
    installed = package / "_data" / name
    return installed if installed.is_dir() else package.parent / name


def licence() -> str:
    """The text of tinyserve's licence, which goes with every copy of its sources."""
    installed = package_directory() / "_data" / "LICENSE"
    path = installed if installed.is_file() else package_directory().parent / "LICENSE"
    return path.read_text(encoding="utf-8")
