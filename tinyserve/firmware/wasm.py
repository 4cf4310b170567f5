# SPDX-License-Identifier: Apache-2.0
"""Builds a compiled model as WebAssembly, with zig: a module without imports that exports the C interface."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from tinyserve.compiler.compile import Compiled, write
from tinyserve.errors import ToolError
from tinyserve.firmware.process import run
from tinyserve.firmware.toolchain import zig_path
from tinyserve.resources import data_directory

BUILD_TIMEOUT_S = 300.0
STACK_BYTES = 65536
_EXPORTS = ("init", "input", "invoke", "step", "output", "reset")
_FLAGS = (
    "-target", "wasm32-freestanding", "-std=c11", "-Os", "-ffreestanding", "-ffp-contract=off", "-nostdlib",
    "-Wl,--no-entry", "-Wl,--strip-all", f"-Wl,-z,stack-size={STACK_BYTES}",
)  # fmt: skip
# The kernels for this computer call memcpy by way of the compiler's vectors.
_STRING_H = """#include <stddef.h>
void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
"""


@dataclass(frozen=True)
class Build:
    """A build of a module: the features that its kernels were compiled for, and how zig is told."""

    features: frozenset[str]
    flags: tuple[str, ...]


PLAIN = Build(frozenset(), ("-mcpu=mvp+bulk_memory+sign_ext+mutable_globals",))
SIMD = Build(frozenset({"wasm"}), ("-mcpu=generic+simd128",))


def build_wasm(compiled: Compiled, build: Build) -> bytes:
    """The module's bytes. Raises ToolError where zig is not installed or refuses the sources."""
    zig = zig_path()
    exports = [f"-Wl,--export=ts_{compiled.name}_{function}" for function in _EXPORTS]
    with tempfile.TemporaryDirectory(prefix="tinyserve-") as name:
        directory = Path(name)
        write(compiled, directory)
        (directory / "string.h").write_bytes(_STRING_H.encode())
        shims = [
            str(path) for path in sorted((data_directory("firmware_templates") / "shim").glob("memory.c"))
        ]
        command = [
            str(zig), "cc", *_FLAGS, *build.flags, "-I.", *exports, *compiled.sources.compile, *shims,
            "-o", "model.wasm",
        ]  # fmt: skip
        finished = run(command, directory, BUILD_TIMEOUT_S)
        if finished.status:
            raise ToolError(
                f"zig can't build the model for WebAssembly: {finished.output.strip()[-500:]}",
                "report it with the model, or choose another --kind",
            )
        return (directory / "model.wasm").read_bytes()
