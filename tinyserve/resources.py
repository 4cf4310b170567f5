"""Where the package's data files are: in the checkout during development, in the wheel once installed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def package_directory() -> Path:
    """The directory of the package itself: its kernels and templates are plain files."""
    return Path(str(files("tinyserve")))


def data_directory(name: str) -> Path:
    """The directory of the data set ``name`` ("boards", "firmware_templates")."""
    package = package_directory()
    installed = package / "_data" / name
    return installed if installed.is_dir() else package.parent / name
