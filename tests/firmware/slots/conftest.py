# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from tests.support.places import CHECKOUT

SLOTS = CHECKOUT / "firmware_templates" / "slots"


def build(sources: list[Path], made: Path) -> ctypes.CDLL:
    """Sources and the C of the slots as a shared library; what C leaves undefined ends the process."""
    flags = [
        "-std=c11",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Werror",
        "-fPIC",
        "-shared",
        f"-I{SLOTS}",
    ]
    trap = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    files = [str(path) for path in [*sources, *sorted(SLOTS.glob("*.c"))]]
    subprocess.run(["gcc", *flags, *trap, *files, "-o", str(made)], check=True, timeout=120)
    return ctypes.CDLL(str(made))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return build([], tmp_path_factory.mktemp("slots") / "slots.so")


@pytest.fixture(scope="session")
def twin_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The slots over a flash that loses power."""
    return build([Path(__file__).parent / "flash_twin.c"], tmp_path_factory.mktemp("twin") / "twin.so")
