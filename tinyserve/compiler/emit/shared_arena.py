# SPDX-License-Identifier: Apache-2.0
"""The files of an arena that several models share: where it lies, and how large it is."""

from __future__ import annotations

from collections.abc import Iterator

from tinyserve import __version__
from tinyserve.compiler.program import Instance, SharedArena
from tinyserve.resources import LICENCE_TAG

MARK = "tinyserve"


def shared_arena_files(arena: SharedArena, instance: Instance) -> dict[str, str | bytes]:
    """NAME_arena.h, and for static instances NAME_arena.c with the memory itself."""
    stem = f"{arena.name}_arena"
    files: dict[str, str | bytes] = {f"{stem}.h": "\n".join([*_header(arena, instance), ""])}
    if instance == "static":
        files[f"{stem}.c"] = "\n".join([*_source(arena), ""])
    return files


def _banner(arena: SharedArena) -> Iterator[str]:
    yield f"/* An arena. Written by {MARK} {__version__}; compile again rather than edit."
    yield f" * Models: {', '.join(arena.models)}"
    yield from (f" * {LICENCE_TAG}", " */")


def _header(arena: SharedArena, instance: Instance) -> Iterator[str]:
    macro = f"TS_{arena.name.upper()}_ARENA"
    yield from _banner(arena)
    yield from (f"#ifndef {macro}_H", f"#define {macro}_H", "", "#include <stdint.h>", "")
    yield from (f"#define {macro}_BYTES {arena.nbytes}", f"#define {macro}_ALIGNMENT {arena.alignment}", "")
    if instance == "static":
        yield from ("#ifdef __cplusplus", 'extern "C" {', "#endif", "")
        yield f"extern uint8_t ts_{arena.name}_arena[{max(1, arena.nbytes)}];"
        yield from ("", "#ifdef __cplusplus", "}", "#endif", "")
    yield f"#endif /* {macro}_H */"


def _source(arena: SharedArena) -> Iterator[str]:
    place = f"TS_{arena.name.upper()}_ARENA_ATTRIBUTE"
    yield from _banner(arena)
    yield from ('#include "kernels/common/compiler.h"', f'#include "{arena.name}_arena.h"', "")
    yield from ("/* Where the arena lies may be chosen: a section, a bank. */",)
    yield from (f"#ifndef {place}", f"#define {place}", "#endif")
    yield f"_Alignas({arena.alignment}) uint8_t ts_{arena.name}_arena[{max(1, arena.nbytes)}] {place};"
