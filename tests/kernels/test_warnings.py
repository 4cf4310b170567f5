# SPDX-License-Identifier: Apache-2.0
"""Every kernel compiles without a warning, also those that no other test compiles with warnings as errors."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.places import KERNELS

FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only", f"-I{KERNELS}"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(("folder", "flags"), [(".", []), ("host", ["-march=native"])])
def test_headers_compile_without_warnings(
    compiler: str, folder: str, flags: list[str], tmp_path: Path
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    headers = sorted((KERNELS / folder).glob("*.h"))
    if folder == "host":  # one of the sets of lanes, which the others include
        headers = [path for path in headers if not path.name.startswith("lanes_")]
    source = tmp_path / "all.c"
    source.write_text("".join(f'#include "{path.relative_to(KERNELS).as_posix()}"\n' for path in headers))
    command = [compiler, *FLAGS, *flags, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert headers
