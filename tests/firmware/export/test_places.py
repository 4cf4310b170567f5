# SPDX-License-Identifier: Apache-2.0
"""Arena and constants lie where a product says, in what every kind of library links to: the linker's map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.firmware.export.test_libraries import make, need, network, run
from tinyserve.compiler.compile import compile_model
from tinyserve.firmware.export import LIBRARIES

KINDS = sorted(LIBRARIES.keys() - {"wasm"})
PRODUCT = """
#define TS_KWS_ARENA_ATTRIBUTE __attribute__((section(".bss.sdram")))
#define TS_KWS_WEIGHTS_ATTRIBUTE __attribute__((section(".ospi_flash")))
"""
SCRIPT = """
MEMORY { FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 512K  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 128K
         OSPI (r) : ORIGIN = 0x90000000, LENGTH = 8M  SDRAM (rw) : ORIGIN = 0xC0000000, LENGTH = 8M }
SECTIONS {
  .text : { *(.text*) *(.rodata*) } > FLASH
  .external : { *(.ospi_flash) } > OSPI
  .slow (NOLOAD) : { *(.bss.sdram) } > SDRAM
  .data : { *(.data*) } > RAM
  .bss : { *(.bss*) *(COMMON) } > RAM
}
"""
STATIC = "ts_kws_init(); return ts_kws_invoke();"
CALLER = """
  static _Alignas(TS_KWS_ARENA_ALIGNMENT) uint8_t arena[TS_KWS_ARENA_BYTES]
      __attribute__((section(".bss.sdram")));
  static ts_kws self;
  return ts_kws_init(&self, arena) || ts_kws_invoke(&self);
"""
COMMAND = [
    "arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-std=c11", "-O1", "-ffunction-sections",
    "-fdata-sections", "-I.", '-DTS_CONFIG_HEADER="product.h"', "-nostartfiles", "-specs=nosys.specs",
    "-Wl,-Tlink.ld", "-Wl,-Map=map", "-Wl,--gc-sections", "-Wl,-emain", "-o", "image.elf",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_constant_and_the_arena_are_at_their_places(kind: str, tmp_path: Path) -> None:
    need("arm-none-eabi-gcc")
    place = make(kind, tmp_path)
    model = sorted(place.rglob("kws.c"))[-1]  # of a pack's variants the portable one
    (tmp_path / "product.h").write_text(PRODUCT)
    (tmp_path / "link.ld").write_text(SCRIPT)
    body = CALLER if kind == "rust" else STATIC
    (tmp_path / "main.c").write_text(f'#include "kws.h"\nint main(void) {{ {body} }}\n')
    sources = ["main.c", model, model.parent / "kws_weights.c"]
    run(*COMMAND, f"-I{model.parent}", *sources, cwd=tmp_path)
    sections = {
        name: (int(start, 16), int(size, 16))
        for name, start, size in re.findall(
            r"^(\.\w+)\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)", (tmp_path / "map").read_text(), re.MULTILINE
        )
    }
    compiled = compile_model(network(1), name="kws")
    assert sections[".external"][0] == 0x90000000
    assert sections[".external"][1] >= sum(one.nbytes for one in compiled.program.constants)
    assert sections[".slow"] == (0xC0000000, max(1, compiled.plan.arena_bytes))
    symbols = run("arm-none-eabi-nm", "image.elf", cwd=tmp_path)
    for name in (one.name for one in compiled.program.constants):
        assert re.search(rf"^9[0-9a-f]{{7}} \w ts_kws_{name}$", symbols, re.MULTILINE), name
    run(
        "arm-none-eabi-objcopy",
        "-Obinary",
        "--remove-section=.external",
        "image.elf",
        "image.bin",
        cwd=tmp_path,
    )
    assert (tmp_path / "image.bin").stat().st_size < 64 * 1024  # an arena that were loaded would fill the gap
