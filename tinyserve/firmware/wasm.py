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
_EVENTS = "events.c"
_EVENT_EXPORTS = ("listen", "heard", "heard_count")
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


# A module has no imports, so it keeps events until they are asked for: in an inference one of each source.
_EVENTS_C = """#include "{name}.h"

typedef struct {{
    uint32_t source;
    int32_t class_number;
    uint32_t inference;
    uint32_t sample[2]; /* the low half first */
    uint32_t first_output;
    uint32_t output_count;
}} heard_event;

void ts_{name}_listen(void);
const void *ts_{name}_heard(void);
uint32_t ts_{name}_heard_count(void);

static heard_event heard[TS_{upper}_EVENT_COUNT];
static uint32_t count;

static void hear(const ts_event *event)
{{
    if (count < TS_{upper}_EVENT_COUNT) {{
        heard[count++] = (heard_event){{event->source, event->class_number, event->inference,
                                       {{(uint32_t)event->sample, (uint32_t)(event->sample >> 32)}},
                                       event->first_output, event->output_count}};
    }}
}}

void ts_{name}_listen(void)
{{
    ts_{name}_on_event(hear);
}}

const void *ts_{name}_heard(void)
{{
    return heard;
}}

/* And forgets them: they lie there until the next inference. */
uint32_t ts_{name}_heard_count(void)
{{
    const uint32_t counted = count;
    count = 0;
    return counted;
}}
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
    has_events = bool(compiled.program.events.sources)
    functions = (*_EXPORTS, *_EVENT_EXPORTS) if has_events else _EXPORTS
    exports = [f"-Wl,--export=ts_{compiled.name}_{function}" for function in functions]
    with tempfile.TemporaryDirectory(prefix="tinyserve-") as name:
        directory = Path(name)
        write(compiled, directory)
        (directory / "string.h").write_bytes(_STRING_H.encode())
        if has_events:
            text = _EVENTS_C.format(name=compiled.name, upper=compiled.name.upper())
            (directory / _EVENTS).write_bytes(text.encode())
        shims = [
            str(path) for path in sorted((data_directory("firmware_templates") / "shim").glob("memory.c"))
        ]
        command = [
            str(zig), "cc", *_FLAGS, *build.flags, "-I.", *exports, *compiled.sources.compile, *shims,
            *([_EVENTS] if has_events else []),
            "-o", "model.wasm",
        ]  # fmt: skip
        finished = run(command, directory, BUILD_TIMEOUT_S)
        if finished.status:
            raise ToolError(
                f"zig can't build the model for WebAssembly: {finished.output.strip()[-500:]}",
                "report it with the model, or choose another --kind",
            )
        return (directory / "model.wasm").read_bytes()
